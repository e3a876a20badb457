// JSON of scripts beside that of JavaScript: random values and their damaged texts are taken or
// refused by both alike, and what is taken comes back as the same value.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seededRandom } from './publish.mjs';
import { startServer } from './server.mjs';

const TEXTS = 4000;   // of a test
const AT_ONCE = 400;  // in one request

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

// ---- random texts ------------------------------------------------------------------------------

const NUMBERS = [
  '0', '-0', '1', '-1', '0.1', '1e5', '1E-5', '-2.5e+3', '1e400', '-1e400', '1e-400', '5e-324', '0.30000000000000004',
  '9007199254740993', '12345678901234567', '9223372036854775807', '-9223372036854775808', '9223372036854775808',
  '123456789012345678901234567890', '1.7976931348623157e308', '1.0', '100.0e-2', '0e99999',
];
const PIECES = [
  'a', 'key', ' ', '\\n', '\\"', '\\\\', '\\/', '\\u0000', '\\u00e4', '\\ud83c\\udf0a', '\\ud800', '\\udc00', '\u{1f30a}', 'é',
  '\x7f', '\u2028', 'the tide comes in twice a day, and goes out',
];
// What damaged texts get: bytes that mean something, and some that mean nothing.
const BYTES = [...'{}[],:"\\0123456789.eE+-tfn \n\t/'].map(c => c.charCodeAt(0)).concat([0, 1, 0x1f, 0x7f, 0x80, 0xc3, 0xed, 0xff]);

function randomText(random) {
  const pick = list => list[random(list.length)];
  const string = () => `"${Array.from({ length: random(4) }, () => pick(PIECES)).join('')}"`;
  const space = () => pick(['', '', '', ' ', '\n\t']);
  const number = () => random(3) > 0 ? pick(NUMBERS) : `${random(2) ? '-' : ''}${random(1e9)}.${random(1e6)}e${random(40) - 20}`;
  const list = (depth, open, close, member) =>
    open + space() + Array.from({ length: random(5) }, () => member(depth + 1)).join(`${space()},${space()}`) + space() + close;
  const value = depth => {
    const kind = random(depth > 5 ? 5 : 8);
    if (kind === 0) return pick(['true', 'false', 'null']);
    if (kind < 3) return number();
    if (kind < 5) return string();
    if (kind === 5) return list(depth, '[', ']', value);
    return list(depth, '{', '}', inner => `${string()}${space()}:${space()}${value(inner)}`);
  };
  return Buffer.from(space() + value(0) + space());
}

function damage(random, bytes) {
  const out = [...bytes];
  for (let i = random(3); i >= 0; i--) {
    const at = random(out.length + 1), byte = BYTES[random(BYTES.length)];
    if (random(3) === 0) out.splice(at, 1);
    else if (random(2) === 0) out.splice(at, 0, byte);
    else if (at < out.length) out[at] = byte;
  }
  return Buffer.from(out.length > 0 ? out : [0x20]);
}

// ---- what JavaScript makes of them ---------------------------------------------------------------

// What only we refuse: half a surrogate pair, which is no UTF-8, and a number beyond all floats.
function isOurs(value) {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  return value === null || typeof value !== 'object' || Object.entries(value).every(entry => entry.every(isOurs));
}

// The value in an array, or undefined. Of equal names JSON.parse hides all but the last, so that
// what it hides must be looked at as it is read.
function parse(bytes) {
  try {
    let ours = true;
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value = JSON.parse(text);
    for (const [string] of text.matchAll(/"(?:[^"\\]|\\.)*"/g)) ours &&= isOurs(JSON.parse(string));
    for (const [number] of text.replace(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/-?\d[\d.eE+-]*/g)) ours &&= isOurs(Number(number));
    return ours && isOurs(value) ? [value] : undefined;
  } catch {
    return undefined;
  }
}

async function compare(texts) {
  const body = texts.map(text => text.toString('base64')).join('\n');
  const answer = await fetch(`${server.http}/json/same`, { method: 'POST', body });
  assert.equal(answer.status, 200);
  const lines = (await answer.text()).split('\n');
  let taken = 0;
  assert.equal(lines.length, texts.length);
  texts.forEach((text, i) => {
    const expected = parse(text);
    const again = lines[i] === '-' ? undefined : [JSON.parse(Buffer.from(lines[i], 'base64').toString())];
    assert.deepStrictEqual(again, expected, JSON.stringify(text.toString('latin1')));
    if (again) taken++;
  });
  return taken;
}

for (const [name, make] of [['texts as they are', (random, text) => text], ['damaged texts', damage]]) {
  test(name, async t => {
    const random = seededRandom(t);
    let taken = 0;
    for (let done = 0; done < TEXTS; done += AT_ONCE)
      taken += await compare(Array.from({ length: AT_ONCE }, () => make(random, randomText(random))));
    assert.ok(taken > TEXTS / 100 && taken < TEXTS, `${taken} of ${TEXTS} are JSON`);
  });
}
