-- Where a body ends: lengths, transfer codings, chunks and trailers (RFC 9112 6
-- and 7, RFC 9110 6.5 and 8.6), with the disagreements that requests are smuggled
-- through (RFC 9112 11.2).
local rows = require "support.http_rows"

-- A GET that must never be taken for a request of its own.
local SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

local function post(fields, body)
  return "POST / HTTP/1.1\r\nHost: x\r\n" .. fields .. "\r\n\r\n" .. (body or "")
end

local function length(value, body)
  return post("Content-Length: " .. value, body or "hello")
end

local function coding(value, body)
  return post("Transfer-Encoding: " .. value, body or "5\r\nhello\r\n0\r\n\r\n" .. SMUGGLED)
end

local function chunks(body)
  return coding("chunked", body)
end

local TABLES = {
  ["Content-Length"] = {
    { "9112 6.3: empty", 400, length "" },
    { "9112 6.3: no number", 400, length "five" },
    { "9112 6.3: a plus", 400, length "+5" },
    { "9112 6.3: negative", 400, length "-5" },
    { "9112 6.3: minus zero", 400, length "-0" },
    { "9112 6.3: hexadecimal", 400, length "0x5" },
    { "9112 6.3: octal", 400, length "0o5" },
    { "9112 6.3: an exponent", 400, length "5e0" },
    { "9112 6.3: a fraction", 400, length "5.0" },
    { "9112 6.3: an underscore", 400, length "1_0" },
    { "9112 6.3: a space in it", 400, length "5 5" },
    { "9112 6.3: a quotation", 400, length '"5"' },
    { "9112 6.3: a parameter", 400, length "5;x=y" },
    { "9112 6.3: digits that are not ASCII", 400, length "\xef\xbc\x95" },
    { "9112 6.3: a list", 400, length "5, 6" },
    { "9112 6.3: a list of the same", 400, length "5, 5" },
    { "9112 6.3: an empty element", 400, length "5," },
    { "9112 6.3: twice", 400, length("5\r\nContent-Length: 6", "hello!") },
    { "9112 6.3: twice the same", 400, length "5\r\nContent-Length: 5" },
    { "9112 5.1: a space before the colon", 400, post("Content-Length : 5", "hello") },
    { "9110 8.6: beyond 64 bits", 400, length "18446744073709551621" },
    { "9110 8.6: of 400 digits", 400, length(("9"):rep(400)) },
    { "9110 8.6: beyond 32 bits", 413, length "4294967301" },
    { "9110 8.6: the last of 63 bits", 413, length "9223372036854775807" },
    { "9110 15.5.14: one byte too much", 413, length "2001" },
    { "9110 8.6: leading zeros", length "0005", { body = "hello" } },
    { "9110 5.5: white space around it", length "\t 5 ", { body = "hello" } },
    { "9110 5.6.3: a tab behind it", length "5 \t", { body = "hello" } },
    { "9110 5.6.3: a tab in it", 400, length "5\t5" },
    { "9112 6.3: zero", length("0", ""), { body = "" } },
    { "9112 6.3: none", post "A: b", { body = "" } },
    { "9110 9.3.1: of GET", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", { body = "hello" } },
    { "9110 9.3.7: of OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", { body = "hello" } },
    { "9112 6: the body is a request", length(#SMUGGLED, SMUGGLED), { body = SMUGGLED } },
  },
  ["Transfer-Encoding"] = {
    { "9112 6.1: beside a length", 400, coding("chunked\r\nContent-Length: 5") },
    { "9112 6.1: behind a length", 400, post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n" .. SMUGGLED) },
    { "9112 6.1: beside a length of nothing", 400, coding("chunked\r\nContent-Length: 0") },
    { "9112 6.1: an unknown one beside a length", 400, coding("xchunked\r\nContent-Length: 5") },
    { "9112 6.1: in HTTP/1.0", 400, "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    { "9112 6.1: chunked twice", 400, coding "chunked, chunked" },
    { "9112 6.1: chunked twice, in two lines", 400, coding "chunked\r\nTransfer-Encoding: chunked" },
    { "9112 6.3: chunked is not the last", 400, coding "chunked, gzip" },
    { "9112 6.3: chunked is not the last, in two lines", 400, coding "chunked\r\nTransfer-Encoding: identity" },
    { "9112 6.3: no chunked", 400, coding "gzip" },
    { "9112 6.3: identity", 400, coding "identity" },
    { "9112 6.3: xchunked", 400, coding "xchunked" },
    { "9112 6.3: chunkedx", 400, coding "chunkedx" },
    { "9112 6.3: a quotation", 400, coding '"chunked"' },
    { "9112 7.1: a parameter", 400, coding "chunked;q=1" },
    { "9112 6.1: empty", 400, coding "" },
    { "9112 6.1: an empty element before chunked", 400, coding ",chunked" },
    { "9112 6.1: an empty element behind chunked", 400, coding "chunked," },
    { "9112 6.1: words", 400, coding "chunked chunked" },
    { "9110 5.5: a vertical tab before chunked", 400, coding "\x0bchunked" },
    { "9110 5.5: a form feed behind chunked", 400, coding "chunked\x0c" },
    { "9110 5.5: a NUL behind chunked", 400, coding "chunked\0" },
    { "9110 5.5: obs-text behind chunked", 400, coding "chunked\xff" },
    { "9112 5.1: a space before the colon", 400, post("Transfer-Encoding : chunked", "0\r\n\r\n") },
    { "9112 5.2: folded", 400, coding "\r\n chunked" },
    { "9112 2.2: a bare LF before it", 400, post("A: b\nTransfer-Encoding: chunked", "0\r\n\r\n") },
    { "9112 2.2: a bare CR before it", 400, post("A: b\rTransfer-Encoding: chunked", "0\r\n\r\n") },
    { "9112 6.1: gzip before chunked", 501, coding "gzip, chunked" },
    { "9112 6.1: gzip before chunked, in two lines", 501, coding "gzip\r\nTransfer-Encoding: chunked" },
    { "9112 6.1: identity before chunked", 501, coding "identity, chunked" },
    { "9112 7: chunked in any case", post("TRANSFER-ENCODING:\tChunKed ", "0\r\n\r\n"), { body = "" } },
    { "9110 5.6.3: a tab behind chunked", post("Transfer-Encoding: chunked\t", "0\r\n\r\n"), { body = "" } },
  },
  ["a chunk"] = {
    { "9112 7.1: no size", 400, chunks "\r\nhello\r\n" },
    { "9112 7.1: a size with a prefix", 400, chunks "0x5\r\nhello\r\n" },
    { "9112 7.1: a size with a plus", 400, chunks "+5\r\nhello\r\n" },
    { "9112 7.1: a negative size", 400, chunks "-5\r\nhello\r\n" },
    { "9112 7.1: a size with an underscore", 400, chunks "0_5\r\nhello\r\n" },
    { "9112 7.1: a size that is no hex number", 400, chunks "5g\r\nhello\r\n" },
    { "9112 7.1: a space before the size", 400, chunks " 5\r\nhello\r\n" },
    { "9112 7.1: a space behind the size", 400, chunks "5 \r\nhello\r\n" },
    { "9112 7.1: a tab behind the size", 400, chunks "5\t\r\nhello\r\n" },
    { "9112 2.2: a bare LF behind the size", 400, chunks "5\nhello\r\n" },
    { "9112 2.2: a bare CR behind the size", 400, chunks "5\rhello\r\n" },
    { "9112 2.2: CR CR LF behind the size", 400, chunks "5\r\r\nhello\r\n" },
    { "9112 7.1: a size of 17 digits", 400, chunks "00000000000000005\r\nhello\r\n" },
    { "9112 7.1: a size of 2^64", 400, chunks "10000000000000000\r\n" },
    { "9112 7.1: a size of 2^64 - 1", 413, chunks "ffffffffffffffff\r\n" },
    { "9112 7.1: a size of 2^63", 413, chunks "8000000000000000\r\n" },
    { "9112 7.1: a size of 2^32 + 5", 413, chunks "100000005\r\nhello\r\n" },
    { "9110 15.5.14: one byte too much in all", 413, chunks "5\r\nhello\r\n7cc\r\n" },
    { "9112 7.1: less data than the size", 400, chunks "6\r\nhello\r\n0\r\n\r\n" },
    { "9112 7.1: more data than the size", 400, chunks "4\r\nhello\r\n0\r\n\r\n" },
    { "9112 7.1: nothing behind the data", 400, chunks "5\r\nhello0\r\n\r\n" },
    { "9112 2.2: a bare LF behind the data", 400, chunks "5\r\nhello\n0\r\n\r\n" },
    { "9112 2.2: a bare CR behind the data", 400, chunks "5\r\nhello\r0\r\n\r\n" },
    { "9112 7.1: data behind the last chunk", 400, chunks "0\r\nhello\r\n" },
    { "9112 7.1.1: an extension without a name", 400, chunks "5;\r\nhello\r\n" },
    { "9112 7.1.1: an extension with an empty name", 400, chunks "5;=x\r\nhello\r\n" },
    { "9112 7.1.1: an extension with an empty value", 400, chunks "5;a=\r\nhello\r\n" },
    { "9112 7.1.1: an extension of two words", 400, chunks "5;a b\r\nhello\r\n" },
    { "9112 7.1.1: a space behind an extension", 400, chunks "5;a \r\nhello\r\n" },
    { "9112 7.1.1: an open quotation", 400, chunks '5;a="b\r\nhello\r\n' },
    { "9112 7.1.1: a quotation within a value", 400, chunks '5;a=b"c"\r\nhello\r\n' },
    { "9112 7.1.1: a value behind a quotation", 400, chunks '5;a="b"c\r\nhello\r\n' },
    { "9112 2.2: a bare LF in an extension", 400, chunks "5;a\nhello\r\n" },
    { "9112 2.2: a bare CR in an extension", 400, chunks "5;a\rhello\r\n" },
    { "9112 2.2: a NUL in an extension", 400, chunks "5;a=\0\r\nhello\r\n" },
    { "9112 7.1.1: extensions without end", 431, chunks("5;a=" .. ("b"):rep(1024)) },
    { "9112 7.1.1: extensions without end, in many chunks", 431, chunks(("1;ab\r\nx\r\n"):rep(600)) },
    { "9112 7.1: sizes in either case, with leading zeros", chunks("00A\r\n0123456789\r\n0a\r\n0123456789\r\n000\r\n\r\n"),
      { body = "01234567890123456789" } },
    { "9112 7.1: none but the last", chunks "0\r\n\r\n", { body = "" } },
    { "9112 7.1: data that looks like chunks", chunks "c\r\n\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", { body = "\r\n0\r\n\r\n0\r\n\r\n" } },
    { "9112 7.1.1: extensions", chunks '5;a;b="c;d=\t\\"";e=f;g\r\nhello\r\n0;h\r\n\r\n', { body = "hello" } },
    { "9110 5.6.3: extensions with bad white space", chunks '5 ; a\t= "b" ;\tc\r\nhello\r\n0\r\n\r\n', { body = "hello" } },
  },
  ["a trailer"] = {
    { "9112 5: without a colon", 400, chunks "0\r\nnonsense\r\n\r\n" },
    { "9112 5: without a name", 400, chunks "0\r\n: a\r\n\r\n" },
    { "9112 5.1: a space before the colon", 400, chunks "0\r\nA : b\r\n\r\n" },
    { "9112 5.2: folded", 400, chunks "0\r\nA: b\r\n c\r\n\r\n" },
    { "9112 2.2: a space before the first", 400, chunks "0\r\n A: b\r\n\r\n" },
    { "9112 2.2: a bare LF", 400, chunks "0\r\nA: b\nC: d\r\n\r\n" },
    { "9112 2.2: a bare LF at the end", 400, chunks "0\r\n\n" },
    { "9112 2.2: a bare CR", 400, chunks "0\r\nA: b\rC: d\r\n\r\n" },
    { "9110 5.5: a NUL", 400, chunks "0\r\nA: b\0\r\n\r\n" },
    { "9110 5.4: too long", 431, chunks("0\r\nA: " .. ("b"):rep(1024)) },
    { "9110 5.4: too many", 431, chunks("0\r\n" .. ("A: b\r\n"):rep(300)) },
    { "9112 7.1.2: passed over", chunks "5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n", { body = "hello", headers = { a = false, c = false } } },
    { "9110 6.5.1: of another host, user and type", chunks "0\r\nHost: evil\r\nAuthorization: x\r\nContent-Type: x\r\n\r\n",
      { headers = { host = "x", authorization = false, ["content-type"] = false } } },
    { "9110 6.5.1: of the connection", chunks "0\r\nConnection: close\r\nUpgrade: websocket\r\nExpect: x\r\n\r\n",
      { headers = { connection = false, upgrade = false, expect = false } } },
  },
}

describe("framing:", function()
  local server
  setup(function() server = rows.start() end)
  teardown(function() server:stop() end)

  for name, check in rows.tests(TABLES) do
    it(name, function() check(server) end)
  end
end)
