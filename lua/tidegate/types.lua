---@meta tidegate
-- Types of everything that scripts can use, for editors that speak LuaLS. Holds no code: the
-- server does not load it. `tidegate types DIR` writes it into a folder of scripts. What
-- the members do is described in the reference (lua/doc), one page per area.

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

-- Handlers and middlewares: fun(req, res, next). A handler gets no `next`.

---@class tidegate.Scope
local Scope = {}

---A route for GET, and HEAD: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.get(pattern, handler, ...) end

---A route for POST: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.post(pattern, handler, ...) end

---A route for PUT: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.put(pattern, handler, ...) end

---A route for PATCH: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.patch(pattern, handler, ...) end

---A route for DELETE: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.delete(pattern, handler, ...) end

---A route for OPTIONS: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.options(pattern, handler, ...) end

---A route for every method without a route of its own: guards, if any, and then the handler.
---@param pattern string as "/users/{id}"
---@param handler fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.any(pattern, handler, ...) end

---A route for WebSockets: guards, if any, and then a table of callbacks or a function.
---@param pattern string
---@param handler tidegate.ws_options|fun(ws: tidegate.WebSocket)|fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... tidegate.ws_options|fun(ws: tidegate.WebSocket)|fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.ws(pattern, handler, ...) end

---A route for event streams: guards, if any, and then a table of callbacks or a function.
---@param pattern string
---@param handler tidegate.sse_options|fun(stream: tidegate.Stream)|fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... tidegate.sse_options|fun(stream: tidegate.Stream)|fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.sse(pattern, handler, ...) end

---Middlewares that run before every request, or before those below a prefix.
---@param prefix_or_middleware string|fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Scope.use(prefix_or_middleware, ...) end

---A scope whose routes stand below a prefix and behind guards.
---@param prefix string
---@param ... fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@return tidegate.Scope
function Scope.scope(prefix, ...) end

---@class tidegate.Log
local Log = {}

---@param ... any joined with spaces
function Log.debug(...) end

---@param ... any joined with spaces
function Log.info(...) end

---@param ... any joined with spaces
function Log.warn(...) end

---@param ... any joined with spaces
function Log.error(...) end

---@class tidegate.Json
---@field null any stands for null
local Json = {}

---@param value any
---@return string|nil text, string|nil message, "json"|"utf8"|nil code
function Json.encode(value) end

---@param text string
---@return any value, string|nil message, "json"|nil code
function Json.decode(text) end

---Marks a table as a list, so that it is `[]` also when it is empty.
---@param list? table
---@return table list
function Json.array(list) end

---@alias tidegate.jwt_refusal
---| "missing" # no token
---| "malformed" # not a token, or claims of the wrong type
---| "algorithm" # signed with something else than HS256
---| "signature" # not signed with this secret, or altered
---| "expired" # exp has passed
---| "early" # nbf has not come
---| "issuer" # not the iss asked for
---| "audience" # not the aud asked for

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

---@class tidegate.Jwt
local Jwt = {}

---@param claims table
---@param secret string not empty
---@param options? tidegate.jwt_sign_options
---@return string|nil token, string|nil message, string|nil code
function Jwt.sign(claims, secret, options) end

---@param token string|nil
---@param secret string not empty
---@param options? tidegate.jwt_verify_options
---@return table|nil claims, string|nil message, tidegate.jwt_refusal|nil code
function Jwt.verify(token, secret, options) end

---@class tidegate.Guard makers of guards
local Guard = {}

---@param options tidegate.cors_options
---@return fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
function Guard.cors(options) end

---@class tidegate.member
---@field id string
---@field info any what the join said about it
---@field since number seconds since 1970

---@class tidegate.presence_diff
---@field joins tidegate.member[] those that came, and those with new info
---@field leaves tidegate.member[]

---@class tidegate.Gate: tidegate.Scope
---@field env table<string, string|nil> environment variables
---@field log tidegate.Log
---@field json tidegate.Json
---@field null any gate.json.null
---@field crypto tidegate.Crypto
---@field jwt tidegate.Jwt
---@field guard tidegate.Guard
---@field dir string the script directory
---@field version string of the program
local gate = {}

---@param topic string
---@param value string|table
---@param options? tidegate.publish_options
---@return string|nil id, string|nil message, string|nil code
function gate.publish(topic, value, options) end

---@param topic string
---@return integer|nil, string|nil message, "topic"|nil code
function gate.count(topic) end

---@param pattern string
---@param rules tidegate.topic_options
function gate.topic(pattern, rules) end

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
function gate.history(topic, options) end

---@param pattern? string
---@param options? tidegate.topics_options
---@return { topic: string, count: integer, messages: integer }[]|nil, boolean|string has_more, "topic"|nil code
function gate.topics(pattern, options) end

---@param topic string
---@return tidegate.member[]|nil, string|nil message, "topic"|nil code
function gate.presence(topic) end

---@param pattern string
---@param fn fun(topic: string, diff: tidegate.presence_diff)
function gate.on_presence(pattern, fn) end

---@param pattern string
---@param fn fun(topic: string, data: string, info: { id: string, kind: tidegate.kind, event: string|nil, key: string|nil, missed: integer|nil })
function gate.subscribe(pattern, fn) end

---@param seconds number
function gate.sleep(seconds) end

---@param seconds number
---@param fn fun()
---@param options? tidegate.timer_options
---@return tidegate.Timer
function gate.every(seconds, fn, options) end

---@param seconds number
---@param fn fun()
---@param options? tidegate.timer_options
---@return tidegate.Timer
function gate.after(seconds, fn, options) end

---@param fn fun(...)
---@param ... any
---@return tidegate.Timer
function gate.spawn(fn, ...) end

---@return number seconds since 1970
function gate.now() end

---@return string
function gate.id() end

---@param name string
---@param init? any a function is called for the value
---@return any
function gate.keep(name, init) end

---@return table<string, number>
function gate.stats() end

return gate
