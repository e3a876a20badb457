// The npm client `reconnecting-websocket`, which comes back whatever ends its connection.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Inbox } from './client.mjs';
import { makeLocalClient } from './driven.mjs';
import { openPublisher } from './publish.mjs';
import { openReconnecting, openResuming } from './resuming.mjs';
import { testRules } from './rules.mjs';
import { startServer, waitFor } from './server.mjs';
import { makeDriver } from './w3c.mjs';
import { openWire } from './wire.mjs';

testRules({
  name: 'reconnecting-websocket', can: [],
  start() {
    const driver = makeDriver(openReconnecting), client = makeLocalClient(driver);
    client.stop = () => { for (const { socket } of Object.values(driver.clients)) socket.close(); };
    return client;
  },
});

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

function open(test, url) {
  const socket = openReconnecting(url), inbox = new Inbox();
  socket.addEventListener('message', ({ data }) => inbox.add(data));
  test.after(() => socket.close());
  return { socket, inbox };
}

test('who is refused tries again, and gets in when it may', async t => {
  const asked = [];
  const { socket, inbox } = open(t, () => {
    asked.push(asked.length < 3 ? '/probe/refuse/401' : '/examples/echo');
    return server.ws + asked.at(-1);
  });
  socket.send('sent before it was in');
  assert.equal(await inbox.next(), 'sent before it was in');
  assert.equal(asked.length, 4);
});

test('what is sent while the line is down arrives, in order', async t => {
  const wire = await openWire(server.port);
  t.after(() => wire.close());
  const { socket, inbox } = open(t, `${wire.ws}/examples/echo`);
  socket.send('before');
  assert.equal(await inbox.next(), 'before');
  wire.isDown = true;
  wire.cut();
  await waitFor('the line to be down', () => socket.readyState !== socket.OPEN);
  for (const text of ['one', 'two', 'three']) socket.send(text);
  wire.isDown = false;
  for (const text of ['one', 'two', 'three']) assert.equal(await inbox.next(), text);
});

test('who is closed by the script comes back', async t => {
  const { socket } = open(t, `${server.ws}/probe/close`), closes = new Inbox();
  socket.addEventListener('close', ({ code }) => closes.add(code));
  for (const code of [1012, 4001]) {
    socket.send(code);
    assert.equal(await closes.next(), code);
  }
});

test('a server that was killed and started anew: told so, then all that it keeps and what is live', async t => {
  const first = await startServer({ scripts: ['scripts'] });
  const wire = await openWire(first.port), before = await openPublisher(first), topics = ['long/life'];
  const client = await openResuming(wire, topics);
  await before.publish(topics[0], 'of the first life');
  await waitFor('it', () => client.messages.length === 1);
  wire.isDown = true;
  await first.kill();
  const second = await startServer({ scripts: ['scripts'] }), after = await openPublisher(second);
  t.after(() => { for (const one of [client, after, wire]) one.close(); return second.stop(); });
  await after.publish(topics[0], 'kept');
  wire.target = second.port;
  wire.isDown = false;
  await waitFor('the client to come back', () => client.hellos.length === 2);
  await after.publish(topics[0], 'live');
  await waitFor('what is live', () => client.messages.at(-1).data === 'live');
  assert.equal(client.hellos[1].recovered, false);
  assert.deepEqual(client.messages.map(({ data }) => data), ['of the first life', 'kept', 'live']);
});
