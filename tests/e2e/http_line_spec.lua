-- Request lines: empty lines before them, methods, the forms of the target, and
-- versions (RFC 9112 2 and 3, RFC 9110 7.1 and 9.1).
local rows = require "support.http_rows"

local FIELDS = "Host: x\r\n\r\n"

local function get(target, version)
  return ("GET %s HTTP/%s\r\n%s"):format(target, version or "1.1", FIELDS)
end

local function method(name, target)
  return ("%s %s HTTP/1.1\r\n%s"):format(name, target or "/", FIELDS)
end

local TABLES = {
  ["the beginning of a request"] = {
    { "9112 2.2: no HTTP at all", 400, "hello\r\n\r\n" },
    { "9112 2.2: the hello of TLS", 400, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" },
    { "9112 2.2: an old hello of TLS", 400, "\x80\x2e\x01\x03\x01" },
    { "9112 2.2: a NUL", 400, "\0" .. get "/" },
    { "9112 2.2: a line of spaces", 400, "   \r\n\r\n" },
    { "9112 2.2: a space before the method", 400, " " .. get "/" },
    { "9112 2.2: a bare LF before the method", 400, "\n" .. get "/" },
    { "9112 2.2: a bare CR before the method", 400, "\r" .. get "/" },
    { "9112 2.2: too many empty lines", 400, ("\r\n"):rep(5) .. get "/" },
    { "9112 2.2: a byte order mark", 400, "\xef\xbb\xbf" .. get "/" },
    { "9113 3.4: the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
    { "9112 2.2: empty lines before the method", ("\r\n"):rep(4) .. get "/", { path = "/" } },
  },
  ["a request line"] = {
    { "9112 3: without a target", 400, "GET HTTP/1.1\r\n" .. FIELDS },
    { "9112 3: of the method alone", 400, "GET\r\n" .. FIELDS },
    { "9112 3: two spaces after the method", 400, "GET  / HTTP/1.1\r\n" .. FIELDS },
    { "9112 3: two spaces after the target", 400, "GET /  HTTP/1.1\r\n" .. FIELDS },
    { "9112 3: a space at the end", 400, "GET / HTTP/1.1 \r\n" .. FIELDS },
    { "9112 3: a tab after the method", 400, "GET\t/ HTTP/1.1\r\n" .. FIELDS },
    { "9112 3: a tab after the target", 400, "GET /\tHTTP/1.1\r\n" .. FIELDS },
    { "9112 3: a vertical tab for a space", 400, "GET\x0b/ HTTP/1.1\r\n" .. FIELDS },
    { "9112 3: more words", 400, "GET / HTTP/1.1 HTTP/1.1\r\n" .. FIELDS },
    { "9112 2.2: a bare LF at the end", 400, "GET / HTTP/1.1\n" .. FIELDS },
    { "9112 2.2: a bare CR at the end", 400, "GET / HTTP/1.1\r" .. FIELDS },
    { "9112 2.2: CR CR LF at the end", 400, "GET / HTTP/1.1\r\r\n" .. FIELDS },
  },
  ["a method"] = {
    { "9110 9.1: unknown", 501, method "BREW" },
    { "9110 9.1: in lower case", 501, method "get" },
    { "9110 9.1: of RTSP", 501, method "DESCRIBE" },
    { "9112 3: too long", 501, ("A"):rep(33) },
    { "9110 9.3.6: CONNECT", 501, "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" },
    { "9110 5.6.2: no token", 400, method "GE(T" },
    { "9110 5.6.2: not ASCII", 400, method "G\xc3\x89T" },
    { "9110 5.6.2: with a colon", 400, method "GET:" },
    { "9110 9.3.2: HEAD that is refused has no content", 400, method("HEAD", "/%zz") },
    { "9110 9.3.2: HEAD without Host has no content", 400, "HEAD / HTTP/1.1\r\n\r\n" },
    { "9110 9.3.2: HEAD beyond a limit has no content", 414, method("HEAD", "/" .. ("a"):rep(300)) },
    { "9110 9.3.8: TRACE is left to the script", method "TRACE", { method = "TRACE" } },
    { "9110 16.1: a registered one is left to the script", method "PROPFIND", { method = "PROPFIND" } },
  },
  ["a version"] = {
    { "9112 3: none, as in HTTP/0.9", 400, "GET /\r\n" },
    { "9112 2.3: in lower case", 400, "GET / http/1.1\r\n" .. FIELDS },
    { "9112 2.3: without a minor", 400, get("/", "1") },
    { "9112 2.3: without a point", 400, get("/", "11") },
    { "9112 2.3: a minor of two digits", 400, get("/", "1.10") },
    { "9112 2.3: a leading zero", 400, get("/", "01.1") },
    { "9112 2.3: a space in it", 400, get("/", " 1.1") },
    { "9112 2.3: of another protocol", 400, "GET / ICE/1.0\r\n" .. FIELDS },
    { "9110 15.6.6: HTTP/0.9", 505, get("/", "0.9") },
    { "9110 15.6.6: HTTP/2.0", 505, get("/", "2.0") },
    { "9110 15.6.6: HTTP/3.0", 505, get("/", "3.0") },
    { "9110 15.6.6: HTTP/9.9", 505, get("/", "9.9") },
    { "9110 2.5: HTTP/1.2 is read as HTTP/1.1", get("/", "1.2"), { path = "/" } },
    { "9110 2.5: HTTP/1.9 is read as HTTP/1.1", "\r\n" .. get("/", "1.9"), { path = "/" } },
  },
  ["a target"] = {
    { "9112 3.2.4: * of GET", 400, get "*" },
    { "9112 3.2.4: * and more", 400, method("OPTIONS", "*/x") },
    { "9112 3.2.4: * with a query", 400, method("OPTIONS", "*?x") },
    { "9112 3.2.3: an authority of GET", 400, get "x:80" },
    { "9112 3.2: a path without a slash", 400, get "x" },
    { "9112 3.2: a query alone", 400, get "?x" },
    { "9112 3.2: another scheme", 400, get "ftp://x/" },
    { "9110 7.4: https over plain TCP", 421, get "https://x/" },
    { "9110 4.2.1: a URL without a host", 400, get "http:///x" },
    { "9110 4.2.4: a URL with userinfo", 400, get "http://user:pass@x/" },
    { "9110 4.2: a URL with a bad port", 400, get "http://x:port/" },
    { "9110 4.2: a URL with a bad address", 400, get "http://[::1/" },
    { "9112 3.2: a fragment", 400, get "/#x" },
    { "9112 3.2: a fragment in the query", 400, get "/?x#y" },
    { "9112 3.2: not ASCII", 400, get "/\xc3\xa4" },
    { "9112 3.2: overlong UTF-8", 400, get "/\xc0\xaf" },
    { "9112 3.2: a NUL", 400, get "/\0" },
    { "9112 3.2: DEL", 400, get "/\x7f" },
    { "9112 3.2: a backslash in the path", 400, get "/..\\x" },
    { "9112 3.2: angle brackets", 400, get "/<x>" },
    { "9112 3.2: a quotation mark", 400, get '/"' },
    { "3986 2.1: a broken percent code", 400, get "/%zz" },
    { "3986 2.1: half a percent code", 400, get "/x%2" },
    { "3986 7.3: an encoded NUL", 400, get "/x%00" },
    { "3986 7.3: an encoded line break", 400, get "/x%0d%0aX:y" },
    { "3986 5.2.4: above the root", 400, get "/../x" },
    { "3986 5.2.4: above the root, encoded", 400, get "/%2e%2E/x" },
    { "3986 5.2.4: above the root, in a URL", 400, get "http://x/../x" },
    { "9112 3: too long", 414, get("/" .. ("a"):rep(300)) },
    { "9112 3: too long in the query", 414, get("/?" .. ("a"):rep(300)) },
    { "3986 5.2.4: dot segments go", get "/a/./b/%2e%2E/../c/.", { path = "/c/" } },
    { "3986 2.2: an encoded slash is no slash", get "/a%2F..%2fb", { path = "/a%2F..%2fb" } },
    { "3986 3.3: empty segments stay", get "//a//b", { path = "//a//b" } },
    { "3986 3.4: a query of any characters", get "/?a=/?..%2F&b=%zz", { path = "/", query = { a = "/?../", b = "%zz" } } },
    { "9112 3.2.2: a URL instead of Host", get "http://other:81/a?b=c", { path = "/a", query = { b = "c" }, headers = { host = "other:81" } } },
    { "9110 4.2.3: a URL without a path", get "HTTP://x", { path = "/" } },
    { "9112 3.2.4: * of OPTIONS", method("OPTIONS", "*"), { method = "OPTIONS", path = "*" } },
    { "9112 3.2.4: OPTIONS of a URL without a path", method("OPTIONS", "http://x"), { path = "*" } },
  },
}

describe("a request line:", function()
  local server
  setup(function() server = rows.start() end)
  teardown(function() server:stop() end)

  for name, check in rows.tests(TABLES) do
    it(name, function() check(server) end)
  end
end)
