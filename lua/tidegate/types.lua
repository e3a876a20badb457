---@meta tidegate.core
-- Types of what the server gives to scripts, for editors (LuaLS). Holds no code.
-- What the members do is described in lua/doc/, one page per area.

---@alias tidegate.kind "text"|"binary"
---@alias tidegate.lag "skip"|"latest"|"close"

-- Options, written from the rows that declare them by `make reference`.

---@class tidegate.compress_options
---@field context_takeover? boolean direct messages refer to those before them, both ways (default: `false`)

---@class tidegate.cookie_options
---@field path? string the paths below which browsers send it (default: `"/"`)
---@field domain? string the domain whose hosts get it (default: this host alone)
---@field max_age? number seconds that browsers keep it; 0: delete (default: until the browser ends)
---@field secure? boolean only over HTTPS (default: `false`)
---@field http_only? boolean hidden from scripts in pages (default: `true`)
---@field same_site? "Lax"|"Strict"|"None" whether requests from other sites carry it: `"Lax"`, `"Strict"` or `"None"`, which needs `secure` (default: `"Lax"`)

---@class tidegate.cors_options
---@field origins "*"|string[] a list of origins as browsers send them (`"https://app.example"`, a port where it is not the usual one), or `"*"`: all. Needed
---@field credentials? boolean whether cookies and HTTP logins may come along; not with `"*"` (default: `false`)
---@field headers? string[] list: headers that requests may have (default: `Authorization`, `Cache-Control`, `Content-Type`, `Last-Event-ID`)
---@field methods? string[] list of methods (default: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`)
---@field expose? string[] list: headers of answers that pages may read (default: none)
---@field max_age? number seconds that a browser keeps the answer to a preflight, at most 86400 (default: 600)

---@class tidegate.event_options
---@field data? string|number|table a string or number, or a table sent as JSON
---@field event? string its name
---@field id? string what the client says it saw last when it comes back
---@field retry? integer whole milliseconds before the client comes back, at most 2147483647
---@field comment? string text that clients pass over

---@class tidegate.history_options
---@field since? string an id: what came after it; `"first"`: all that is kept; `"last"`: the newest kept
---@field limit? integer that many messages at most (default: none)
---@field reverse? boolean the newest first; with an id what came *before* it, for scrolling back (default: `false`)

---@class tidegate.join_options
---@field since? string an id: replay what came after it. `"first"`: all that is kept. `"last"`: the newest kept. Absent: only what comes. On a stream whose client comes back, what it saw last counts for each topic instead, unless `since` is an id
---@field as? string|integer makes a member of the topic: the user's id, a string or whole number of 1 to 255 bytes without control characters. See presence
---@field info? any about the member: any value that has a JSON form, at most 16 KiB of it (`"too_large"`), of UTF-8 (`"utf8"`). Later joins of the same user replace it
---@field lag? tidegate.lag what happens when this session falls behind what is kept: `"skip"` (go on at the oldest kept), `"latest"` (go on at the newest), `"close"` (1013, or end of stream). See gaps (default: the topic's rule)

---@class tidegate.jwt_sign_options
---@field exp? number seconds from now until the token expires; sets the claim `exp`
---@field alg? "HS256" the algorithm; there is one, `"HS256"` (default: `"HS256"`)

---@class tidegate.jwt_verify_options
---@field leeway? number seconds by which clocks may differ (default: 0)
---@field now? number the time, in seconds since 1970 (default: the clock)
---@field iss? string must be the claim `iss`
---@field aud? string must be in the claim `aud`
---@field alg? "HS256" the algorithm; there is one, `"HS256"` (default: `"HS256"`)

---@class tidegate.presence_options
---@field grace? number seconds that a member stays after its last connection has left; 0: not at all (default: 5)

---@class tidegate.publish_options
---@field except? tidegate.Connection a session that does not get it
---@field event? string its name on streams
---@field kind? tidegate.kind `"text"` or `"binary"` (default: `"text"`)
---@field key? string a later message of the same key supersedes this one, see keys

---@class tidegate.ws_options
---@field upgrade? fun(req: tidegate.Request, res: tidegate.Response): ... decides before anything is sent, see below
---@field open? fun(conn: tidegate.WebSocket) the session exists
---@field message? fun(ws: tidegate.WebSocket, data: string, kind: tidegate.kind) a whole message arrived; kind is `"text"` or `"binary"`
---@field close? fun(conn: tidegate.WebSocket, code: integer, reason: string) the session is over. code: see below; 0 for a stream
---@field gap? fun(conn: tidegate.WebSocket, topic: string, missed: integer) so many messages of the topic were lost to this session; comes before those behind the gap
---@field drain? fun(conn: tidegate.WebSocket) after a `send` that was refused with `"full"`: there is room again
---@field heartbeat? number seconds between pings; 0: none (default: `heartbeat` of the configuration)
---@field envelope? boolean `true`: topic messages come with id and topic, as JSON; see envelopes (default: `false`)
---@field compress? boolean|tidegate.compress_options `true`, or a table of its options: messages are compressed with clients that can; see compression (default: `false`)
---@field max_message? integer bytes; a larger message closes with 1009, also one that is larger once it is inflated (default: `max_message` of the configuration)
---@field protocols? string[] list of subprotocols
---@field on_full? "refuse"|"close" what a `send` that finds the queue full does beyond being refused: `"refuse"`: nothing; `"close"`: the session ends, a WebSocket with 1013 "too slow" (default: `"refuse"`)

---@class tidegate.sse_options
---@field upgrade? fun(req: tidegate.Request, res: tidegate.Response): ... decides before anything is sent, see below
---@field open? fun(conn: tidegate.Stream) the session exists
---@field close? fun(conn: tidegate.Stream, code: integer, reason: string) the session is over. code: see below; 0 for a stream
---@field gap? fun(conn: tidegate.Stream, topic: string, missed: integer) so many messages of the topic were lost to this session; comes before those behind the gap
---@field drain? fun(conn: tidegate.Stream) after a `send` that was refused with `"full"`: there is room again
---@field keepalive? number seconds between comments on a quiet stream; 0: none (default: `keepalive` of the configuration)
---@field on_full? "refuse"|"close" what a `send` that finds the queue full does beyond being refused: `"refuse"`: nothing; `"close"`: the session ends, a WebSocket with 1013 "too slow" (default: `"refuse"`)

---@class tidegate.timer_options
---@field on? "one"|"all" of a timer that is made while scripts load: `"one"`: it runs on the first worker only, `"all"`: on every worker (default: `"one"`)

---@class tidegate.topic_options
---@field history? integer messages kept for who joins with `since`, and as many keys. 0: none (default: 0)
---@field bytes? integer payload bytes kept, and the largest message; at least 1 (default: 1048576)
---@field ttl? number seconds until a message is dropped; 0: none (default: none)
---@field lag? tidegate.lag as in `join` (default: `"skip"`)
---@field limit? integer subscribers; `join` fails with `"limit"` beyond; 0: none (default: none)
---@field presence? boolean|tidegate.presence_options whether `as` makes members, or a table of its options. `false`: `join` with `as` fails with `"presence"` (default: `true`)

---@class tidegate.topics_options
---@field limit? integer that many topics at most (default: 10000)

-- End of options.

---@class tidegate.Request
---@field method string
---@field path string decoded
---@field raw_path string still encoded, dot segments removed
---@field params table<string, string>
---@field query table<string, string>
---@field raw_query string still encoded
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

---@param name? string
---@return string[]|table<string, string[]>|nil values, string|nil message, string|nil code
function Request:form_all(name) end

---@param name? string
---@return string[]|table<string, string[]> values
function Request:query_all(name) end

---@return string|nil token
function Request:bearer() end

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

---@class tidegate.join_result
---@field recovered boolean
---@field missed integer|nil nil: not known
---@field id string

---@class tidegate.Connection
---@field id integer
---@field data table
---@field params table<string, string>
---@field query table<string, string>
---@field raw_query string still encoded
---@field peer string
---@field [string] any what scripts keep on it
local Connection = {}

---@param name? string
---@return string[]|table<string, string[]> values
function Connection:query_all(name) end

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

---@class tidegate.Stream: tidegate.Connection
local Stream = {}

---@param event string|tidegate.event_options
---@return true|nil, string|nil message, "closed"|"full"|"invalid"|nil code
function Stream:send(event) end

---@return true|nil, string|nil message, string|nil code
function Stream:close() end

---@class tidegate.Timer
local Timer = {}

function Timer:cancel() end

---@alias tidegate.dispatch fun(req: tidegate.Request, res: tidegate.Response, method: string, raw_path: string, is_upgrade: boolean)

---@alias tidegate.algorithm "sha256"|"sha512"|"sha384"|"sha224"|"sha1"|"md5"

---@class tidegate.Crypto
---@field hmac fun(algorithm: tidegate.algorithm, key: string, data: string): string raw bytes
---@field digest fun(algorithm: tidegate.algorithm, data: string): string raw bytes
---@field base64 fun(data: string): string
---@field base64_decode fun(text: string): string|nil, string|nil message, "base64"|nil code
---@field base64url fun(data: string): string
---@field base64url_decode fun(text: string): string|nil, string|nil message, "base64url"|nil code
---@field hex fun(data: string): string
---@field hex_decode fun(text: string): string|nil, string|nil message, "hex"|nil code
---@field equal fun(a: string, b: string): boolean in time independent of where they differ
---@field random fun(count: integer): string raw bytes

---@class tidegate.Core the native module
---@field accept_ws fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table, origin?: function, protocol?: string): tidegate.WebSocket|nil, string|nil
---@field accept_sse fun(req: tidegate.Request, key: string, is_bare: boolean, data?: table, headers?: table, origin?: function): tidegate.Stream|nil, string|nil
---@field respond fun(req: tidegate.Request, res: tidegate.Response, origin: function|nil, ...: any)
---@field set_route fun(req: tidegate.Request, name: string)
---@field ws_check fun(req: tidegate.Request): integer|nil, string|nil, table|nil
---@field url_decode fun(text: string): string|nil
---@field crypto tidegate.Crypto
---@field env table<string, string|nil>
---@field log table<"debug"|"info"|"warn"|"error", fun(...: any)>
---@field json { encode: (fun(value: any): string|nil, string|nil, string|nil), decode: (fun(text: string): any, string|nil, string|nil), array: (fun(list?: table): table), null: any }
---@field dir string
---@field version string
---@field nearest fun(wanted: string, names: string[]): string|nil the name that somebody meant
---@field note_miss fun(name: string, meant: string|nil) for the error of a call
---@field options (fun(name: string, has_words?: boolean): tidegate.option[])|(fun(): string[]) the rows that C declares; the words are for documents
local core = {}

---@param topic string
---@param value string|table
---@param options? tidegate.publish_options
---@return string|true|nil id, string|nil message, string|nil code true while scripts load
function core.publish(topic, value, options) end

---@param topic string
---@return integer|nil, string|nil message, "topic"|nil code
function core.count(topic) end

---@param pattern string
---@param rules tidegate.topic_options
function core.topic(pattern, rules) end

---@class tidegate.message
---@field id string
---@field data string|table a table if one was published
---@field kind tidegate.kind
---@field event string|nil
---@field key string|nil
---@field time number seconds since 1970

---@param topic string
---@param options? tidegate.history_options
---@return tidegate.message[]|nil, { recovered: boolean, missed: integer|nil }|string, string|nil code
function core.history(topic, options) end

---@param pattern? string
---@param options? tidegate.topics_options
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
---@param options? tidegate.timer_options
---@return tidegate.Timer
function core.every(seconds, fn, options) end

---@param seconds number
---@param fn function
---@param options? tidegate.timer_options
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
