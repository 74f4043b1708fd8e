//! Rule set × catalog → mask plan, checked before any byte is written.

mod mask_plan;

pub use mask_plan::{
    Action, AttributePlan, DatabasePlan, IndexRef, MaskPlan, RelationPlan, StorageKind,
};
