---@meta tidegate.core
-- Types of the native module as the framework uses it, for editors (LuaLS). Holds no code, and
-- is not loaded. What scripts get of it has its types in types.lua.

---@alias tidegate.dispatch fun(req: tidegate.Request, res: tidegate.Response, method: string, raw_path: string, is_upgrade: boolean)

---@class tidegate.Core: tidegate.Gate the native module
---@field accept_ws fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table, origin?: function, protocol?: string): tidegate.WebSocket|nil, string|nil
---@field accept_sse fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table, origin?: function): tidegate.Stream|nil, string|nil
---@field respond fun(req: tidegate.Request, res: tidegate.Response, origin: function|nil, ...: any)
---@field set_route fun(req: tidegate.Request, name: string)
---@field ws_check fun(req: tidegate.Request): integer|nil, string|nil, table|nil
---@field url_decode fun(text: string): string|nil
---@field nearest fun(wanted: string, names: string[]): string|nil the name that somebody meant
---@field methods fun(): string[] of all objects, as "ws:send"
---@field note_miss fun(name: string, meant: string|nil) for the error of a call
---@field options (fun(name: string, has_words?: boolean): tidegate.option[])|(fun(): string[]) the rows that C declares; the words are for documents
local core = {}

return core
