-- Removes the file system args.volume and its snapshots; what was cloned of them stays as it is.
-- It is no error if there is none. Returns an errno, or 0.
local args = ...
local volume = args.volume

local function heir()
    for snapshot in zfs.list.snapshots(volume) do
        for clone in zfs.list.clones(snapshot) do
            return clone
        end
    end
end

if not zfs.exists(volume) then
    return 0
end
-- Promoted, a clone owns the snapshot that it was made of, and the older ones.
local next_heir = heir()
while next_heir do
    local failed = zfs.sync.promote(next_heir)
    if failed ~= 0 then
        return failed
    end
    next_heir = heir()
end

local snapshots = {}
for snapshot in zfs.list.snapshots(volume) do
    table.insert(snapshots, snapshot)
end
for _, snapshot in ipairs(snapshots) do
    local failed = zfs.sync.destroy(snapshot)
    if failed ~= 0 then
        return failed
    end
end
return (zfs.sync.destroy(volume))
