---@meta tidegate.core
-- Types of what the server gives to scripts, for editors (LuaLS). Holds no code.
-- What the members do is described in lua/doc/, one page per area.

---@alias tidegate.kind "text"|"binary"
---@alias tidegate.lag "skip"|"latest"|"close"

---@class tidegate.Request
---@field method string
---@field path string decoded
---@field raw_path string still encoded, dot segments removed
---@field params table<string, string>
---@field query table<string, string>
---@field headers table<string, string> names in lower case
---@field cookies table<string, string>
---@field peer string address of the other side
---@field id string
---@field is_upgrade boolean the request asks for a WebSocket
---@field [string] any fields that scripts assign
local Request = {}

---@return string|nil body, string|nil message, string|nil code
function Request:body() end

---@return any value, string|nil message, string|nil code
function Request:json() end

---@return table<string, string>|nil fields, string|nil message, string|nil code
function Request:form() end

---@return string|nil token
function Request:bearer() end

---@class tidegate.cookie_options
---@field path? string
---@field domain? string
---@field max_age? integer
---@field secure? boolean
---@field http_only? boolean
---@field same_site? "Lax"|"Strict"|"None"

---@class tidegate.Response
---@field started boolean
local Response = {}

---@param code integer
---@return tidegate.Response
function Response:status(code) end

---@param name string
---@param value string
---@return tidegate.Response|nil, string|nil message, string|nil code
function Response:header(name, value) end

---@param name string
---@param value string
---@param options? tidegate.cookie_options
---@return tidegate.Response|nil, string|nil message, string|nil code
function Response:cookie(name, value, options) end

---@param text string
---@return true|nil, string|nil message, string|nil code
function Response:write(text) end

---@return true|nil, string|nil message, string|nil code
function Response:finish() end

---@class tidegate.join_options
---@field since? string an id, "first" or "last"
---@field lag? tidegate.lag
---@field as? string|integer the user, who becomes a member
---@field info? any about the member

---@class tidegate.join_result
---@field recovered boolean
---@field missed integer|nil nil: not known
---@field id string

---@class tidegate.Connection
---@field id integer
---@field data table
---@field params table<string, string>
---@field query table<string, string>
---@field peer string
---@field [string] any what scripts keep on it
local Connection = {}

---@param topic string
---@param options? tidegate.join_options
---@return tidegate.join_result|nil, string|nil message, string|nil code
function Connection:join(topic, options) end

---@param topic string
---@return true|nil, string|nil message, string|nil code
function Connection:leave(topic) end

---@return string[]|nil, string|nil message
function Connection:topics() end

---@return integer bytes
function Connection:buffered() end

---@param seconds? number
---@return true|nil, string|nil message, "closed"|"timeout"|nil code
function Connection:drain(seconds) end

---@class tidegate.WebSocket: tidegate.Connection
---@field protocol string|nil
local WebSocket = {}

---@param data string|table
---@param kind? tidegate.kind
---@return true|nil, string|nil message, "closed"|"full"|"utf8"|nil code
function WebSocket:send(data, kind) end

---@param seconds? number
---@return string|nil data, tidegate.kind|"closed"|"timeout"
function WebSocket:recv(seconds) end

---@return fun(): string|nil, tidegate.kind|nil
function WebSocket:messages() end

---@param data? string at most 125 bytes
---@return true|nil, string|nil message, string|nil code
function WebSocket:ping(data) end

---@param code? integer
---@param reason? string at most 123 bytes
---@return true|nil, string|nil message, string|nil code
function WebSocket:close(code, reason) end

---@class tidegate.event
---@field data? string|number|table
---@field event? string
---@field id? string
---@field retry? integer milliseconds
---@field comment? string

---@class tidegate.Stream: tidegate.Connection
local Stream = {}

---@param event string|tidegate.event
---@return true|nil, string|nil message, "closed"|"full"|"invalid"|nil code
function Stream:send(event) end

---@return true|nil, string|nil message, string|nil code
function Stream:close() end

---@class tidegate.Timer
local Timer = {}

function Timer:cancel() end

---@alias tidegate.dispatch fun(req: tidegate.Request, res: tidegate.Response, method: string, raw_path: string, is_upgrade: boolean)

---@class tidegate.Core the native module
---@field accept_ws fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table, protocol?: string): tidegate.WebSocket|nil, string|nil
---@field accept_sse fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table): tidegate.Stream|nil, string|nil
---@field respond fun(req: tidegate.Request, res: tidegate.Response, ...: any)
---@field set_route fun(req: tidegate.Request, name: string)
---@field ws_check fun(req: tidegate.Request): integer|nil, string|nil, table|nil
---@field url_decode fun(text: string): string|nil
---@field hmac_sha256 fun(key: string, data: string): string
---@field base64url_encode fun(text: string): string
---@field base64url_decode fun(text: string): string|nil
---@field equal fun(a: string, b: string): boolean
---@field env table<string, string|nil>
---@field log table<"debug"|"info"|"warn"|"error", fun(...: any)>
---@field json { encode: (fun(value: any): string|nil, string|nil, string|nil), decode: (fun(text: string): any, string|nil, string|nil), null: any }
---@field dir string
---@field version string
local core = {}

---@param topic string
---@param value string|table
---@param options? { except?: tidegate.Connection, kind?: tidegate.kind, event?: string, key?: string }
---@return string|nil id, string|nil message, string|nil code
function core.publish(topic, value, options) end

---@param topic string
---@return integer|nil, string|nil message, "topic"|nil code
function core.count(topic) end

---@param pattern string
---@param rules { history?: integer, bytes?: integer, ttl?: number, lag?: tidegate.lag, limit?: integer, presence?: boolean|{ grace: number } }
function core.topic(pattern, rules) end

---@class tidegate.message
---@field id string
---@field data string
---@field kind tidegate.kind
---@field event string|nil
---@field key string|nil
---@field time number seconds since 1970

---@param topic string
---@param options? { since?: string, limit?: integer, reverse?: boolean }
---@return tidegate.message[]|nil, { recovered: boolean, missed: integer|nil }|string, string|nil code
function core.history(topic, options) end

---@param pattern? string
---@param options? { limit?: integer }
---@return { topic: string, count: integer, messages: integer }[]|nil, boolean|string has_more, "topic"|nil code
function core.topics(pattern, options) end

---@param topic string
---@return tidegate.member[]|nil, string|nil message, "topic"|nil code
function core.presence(topic) end

---@param pattern string
---@param fn fun(topic: string, data: string, info: { id: string, kind: tidegate.kind, event: string|nil, key: string|nil, missed: integer|nil })
function core.subscribe(pattern, fn) end

---@param seconds number
function core.sleep(seconds) end

---@param seconds number
---@param fn function
---@param options? { on?: "one"|"all" }
---@return tidegate.Timer
function core.every(seconds, fn, options) end

---@param seconds number
---@param fn function
---@param options? { on?: "one"|"all" }
---@return tidegate.Timer
function core.after(seconds, fn, options) end

---@param fn function
---@param ... any
---@return tidegate.Timer
function core.spawn(fn, ...) end

---@return number seconds since 1970
function core.now() end

---@return string
function core.id() end

---@param name string
---@param init? any a function is called for the value
---@return any
function core.keep(name, init) end

---@return table<string, number>
function core.stats() end

return core
