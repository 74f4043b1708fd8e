//! Page checksums: 32 interleaved FNV-1a sums; `storage/checksum_impl.h`.

use super::{BLCKSZ, Block};

const N_SUMS: usize = 32;
const FNV_PRIME: u32 = 16_777_619;
/// Where `pd_checksum` stands; it counts as zero.
const PD_CHECKSUM_WORD: usize = 2;

/// The start of each sum; part of the format.
const BASE_OFFSETS: [u32; N_SUMS] = [
    0x5B1F_36E9,
    0xB852_5960,
    0x02AB_50AA,
    0x1DE6_6D2A,
    0x79FF_467A,
    0x9BB9_F8A3,
    0x217E_7CD2,
    0x83E1_3D2C,
    0xF8D4_474F,
    0xE39E_B970,
    0x42C6_AE16,
    0x9932_16FA,
    0x7B09_3B5D,
    0x98DA_FF3C,
    0xF718_902A,
    0x0B1C_9CDB,
    0xE58F_764B,
    0x1876_36BC,
    0x5D7B_3BB1,
    0xE73D_E7DE,
    0x92BE_C979,
    0xCCA6_C0B2,
    0x304A_0979,
    0x85AA_43D4,
    0x7831_25BB,
    0x6CA8_EAA2,
    0xE407_EAC6,
    0x4B5C_FC3E,
    0x9FBF_8C76,
    0x15CA_20BE,
    0xF2CA_9FD3,
    0x959B_D756,
];

const _: () = assert!(BLCKSZ.is_multiple_of(4 * N_SUMS));

/// The checksum that `pd_checksum` must hold for `block` at `block_number` of its fork.
pub fn page_checksum(block: &Block, block_number: u32) -> u16 {
    ((fold(block) ^ block_number) % 65_535) as u16 + 1
}

fn fold(block: &Block) -> u32 {
    let mut sums = BASE_OFFSETS;
    let mut hide_checksum = true;
    for row in block.as_chunks::<{ 4 * N_SUMS }>().0 {
        let mut words = [0; N_SUMS];
        for (word, bytes) in words.iter_mut().zip(row.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        if std::mem::take(&mut hide_checksum) {
            words[PD_CHECKSUM_WORD] &= 0xFFFF_0000;
        }
        round(&mut sums, &words);
    }
    round(&mut sums, &[0; N_SUMS]);
    round(&mut sums, &[0; N_SUMS]);
    sums.iter().fold(0, |folded, sum| folded ^ sum)
}

#[inline(always)]
fn round(sums: &mut [u32; N_SUMS], words: &[u32; N_SUMS]) {
    for (sum, word) in sums.iter_mut().zip(words) {
        let mixed = *sum ^ word;
        *sum = mixed.wrapping_mul(FNV_PRIME) ^ (mixed >> 17);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_every_byte_but_its_own_and_on_the_block_number() {
        let mut block = [0x5A; BLCKSZ];
        let checksum = page_checksum(&block, 7);
        assert_ne!(checksum, page_checksum(&block, 8));
        for position in [0, 7, 10, 24, 4000, BLCKSZ - 1] {
            block[position] ^= 1;
            assert_ne!(checksum, page_checksum(&block, 7), "byte {position}");
            block[position] ^= 1;
        }
        block[8] = 1;
        block[9] = 2;
        assert_eq!(checksum, page_checksum(&block, 7));
    }
}
