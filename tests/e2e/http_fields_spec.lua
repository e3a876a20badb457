-- Header fields: their names, values and lines, and Host (RFC 9110 5 and 7.2,
-- RFC 9112 2.2, 3.2 and 5).
local rows = require "support.http_rows"

local function fields(text)
  return "GET / HTTP/1.1\r\nHost: x\r\n" .. text .. "\r\n\r\n"
end

local function host(lines)
  return "GET / HTTP/1.1\r\n" .. lines .. "\r\n"
end

local TABLES = {
  ["a name"] = {
    { "9112 5: without a colon", 400, fields "nonsense" },
    { "9112 5: empty", 400, fields ": x" },
    { "9112 5.1: a space before the colon", 400, fields "A : b" },
    { "9112 5.1: a tab before the colon", 400, fields "A\t: b" },
    { "9112 5.1: a space in it", 400, fields "A B: c" },
    { "9110 5.6.2: brackets", 400, fields "A[]: b" },
    { "9110 5.6.2: a slash", 400, fields "A/B: c" },
    { "9110 5.6.2: a quotation mark", 400, fields '"A": b' },
    { "9110 5.6.2: not ASCII", 400, fields "\xc3\xa4: b" },
    { "9110 5.6.2: DEL", 400, fields "A\x7f: b" },
    { "9110 5.6.2: a NUL", 400, fields "A\0: b" },
    { "9110 5.4: too long", 431, fields(("a"):rep(1024) .. ": b") },
    { "9110 5.4: too many", 431, fields(("a: b\r\n"):rep(20) .. "a: b") },
    { "9110 5.1: in any case, of every token character", fields "!#$%&'*+-.^_`|~aZ09: b",
      { headers = { ["!#$%&'*+-.^_`|~az09"] = "b" } } },
    { "9110 5.1: an underscore is no hyphen", fields "Content_Length: 5\r\nTransfer_Encoding: chunked",
      { body = "", headers = { content_length = "5", ["content-length"] = false, ["transfer-encoding"] = false } } },
    { "9110 5.3: repeated", fields "A: b\r\na: c", { headers = { a = "b, c" } } },
  },
  ["a value"] = {
    { "9110 5.5: a NUL", 400, fields "A: b\0c" },
    { "9110 5.5: a bare CR", 400, fields "A: b\rc" },
    { "9110 5.5: a bare CR and another field", 400, fields "A: b\rContent-Length: 3" },
    { "9110 5.5: a bell", 400, fields "A: b\7" },
    { "9110 5.5: a vertical tab", 400, fields "A: b\x0bc" },
    { "9110 5.5: DEL", 400, fields "A: b\x7f" },
    { "9110 5.4: too long", 431, fields("A: " .. ("b"):rep(1024)) },
    { "9110 5.4: a head that goes on and on", 431, "GET / HTTP/1.1\r\nHost: x\r\nA: " .. ("b"):rep(2048) },
    { "9112 5: white space around it goes", fields "A: \t b \t c \t ", { headers = { a = "b \t c" } } },
    { "9112 5: none before it", fields "A:b", { headers = { a = "b" } } },
    { "9110 5.5: empty", fields "A:\r\nB: \t", { headers = { a = "", b = "" } } },
    { "9110 5.5: obs-text", fields "A: \xe4", { headers = { ["a"] = "\xe4" } } },
  },
  ["the lines"] = {
    { "9112 2.2: a bare LF", 400, fields "A: b\nC: d" },
    { "9112 2.2: a bare LF at the end", 400, "GET / HTTP/1.1\r\nHost: x\r\n\n" },
    { "9112 2.2: CR CR LF", 400, fields "A: b\r\r\nC: d" },
    { "9112 2.2: CR and a character at the end", 400, "GET / HTTP/1.1\r\nHost: x\r\n\rA: b\r\n\r\n" },
    { "9112 2.2: a space before the first", 400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n" },
    { "9112 2.2: a line of white space before the first", 400, "GET / HTTP/1.1\r\n \r\nHost: x\r\n\r\n" },
    { "9112 5.2: folded", 400, fields "A: b\r\n c" },
    { "9112 5.2: folded with a tab", 400, fields "A: b\r\n\tc" },
    { "9112 5.2: an empty fold", 400, fields "A: b\r\n " },
    { "9112 5.2: a folded coding", 400, fields "Transfer-Encoding:\r\n chunked" },
  },
  Host = {
    { "9112 3.2: missing", 400, host "" },
    { "9112 3.2: missing beside a URL", 400, "GET http://x/ HTTP/1.1\r\n\r\n" },
    { "9112 3.2: missing, and more expected than there is", 400, host "Expect: x\r\n" },
    { "9112 3.2: missing, and a coding that is unknown", 400, host "Transfer-Encoding: gzip, chunked\r\n" },
    { "9112 3.2: missing, and too large a body", 400, host "Content-Length: 9223372036854775807\r\n" },
    { "9112 3.2: missing, and CONNECT", 400, "CONNECT x:80 HTTP/1.1\r\n\r\n" },
    { "9112 3.2: twice", 400, host "Host: x\r\nHost: y\r\n" },
    { "9112 3.2: twice the same", 400, host "Host: x\r\nHOST: x\r\n" },
    { "9112 3.2: a list", 400, host "Host: x, y\r\n" },
    { "9110 4.2.1: empty", 400, host "Host:\r\n" },
    { "9110 4.2.1: a port alone", 400, host "Host: :80\r\n" },
    { "9110 7.2: a path", 400, host "Host: x/y\r\n" },
    { "9110 7.2: a URL", 400, host "Host: http://x\r\n" },
    { "9110 7.2: userinfo", 400, host "Host: user@x\r\n" },
    { "9110 7.2: a space", 400, host "Host: x y\r\n" },
    { "9110 7.2: not ASCII", 400, host "Host: \xc3\xa4\r\n" },
    { "9110 7.2: a percent code", 400, host "Host: %78\r\n" },
    { "9110 7.2: a port that is no number", 400, host "Host: x:y\r\n" },
    { "9110 7.2: a port beyond all ports", 400, host "Host: x:65536\r\n" },
    { "9110 7.2: two ports", 400, host "Host: x:1:2\r\n" },
    { "9110 7.2: an open bracket", 400, host "Host: [::1\r\n" },
    { "9110 7.2: brackets around nothing", 400, host "Host: []\r\n" },
    { "9110 7.2: brackets around a name", 400, host "Host: [x]\r\n" },
    { "9110 7.2: an address with two gaps", 400, host "Host: [1::2::3]\r\n" },
    { "9110 7.2: more than an address", 400, host "Host: [::1]x\r\n" },
    { "9110 7.2: a port", host "Host: x:80\r\n", { headers = { host = "x:80" } } },
    { "9110 7.2: an empty port", host "Host: x:\r\n", { headers = { host = "x:" } } },
    { "9110 7.2: an address", host "Host: [::ffff:1.2.3.4]:80\r\n", { headers = { host = "[::ffff:1.2.3.4]:80" } } },
    { "9112 3.2.2: another host than the URL's", "GET http://x/ HTTP/1.1\r\nHost: y\r\n\r\n", { headers = { host = "x" } } },
  },
}

describe("header fields:", function()
  local server
  setup(function() server = rows.start() end)
  teardown(function() server:stop() end)

  for name, check in rows.tests(TABLES) do
    it(name, function() check(server) end)
  end
end)
