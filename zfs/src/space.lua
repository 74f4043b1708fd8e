-- Bytes that the file system args.volume holds alone, and all that it refers to.
local args = ...
local own = zfs.get_prop(args.volume, "usedbydataset")
local all = zfs.get_prop(args.volume, "referenced")
return tostring(own) .. " " .. tostring(all)
