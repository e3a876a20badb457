// A WebSocket that comes back by itself and follows topics: the npm client `reconnecting-websocket` on `ws`, with the
// id of the last message as `since`.
import ReconnectingWebSocket from 'reconnecting-websocket';
import WebSocket from 'ws';
import { WAIT_MS, waitFor } from './server.mjs';

export const openReconnecting = (url, protocols = []) => new ReconnectingWebSocket(url, protocols,
  { WebSocket, minReconnectionDelay: 10, maxReconnectionDelay: 50, connectionTimeout: WAIT_MS });

// client.messages: what was published. client.hellos: { id, recovered } of each time that it came back.
export async function openResuming(wire, topics) {
  const client = { messages: [], hellos: [] };
  let since;
  const socket = openReconnecting(() => {
    const query = new URLSearchParams(since ? { topics, since } : { topics });
    return `${wire.ws}/resume/socket?${query}`;
  });
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data);
    since = message.id;
    if ('topic' in message) client.messages.push(message); else client.hellos.push(message);
  });
  client.close = () => socket.close();
  await waitFor('the first hello', () => client.hellos.length > 0);
  return client;
}
