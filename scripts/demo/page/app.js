// The page's wiring: the chat over one WebSocket, all the rest over one EventSource.
import { $, append, clock, element, prepend, timeElement, wireCopyButtons } from '/demo/dom.js';
import { Chat } from '/demo/chat.js';
import { applyDiff, showPeople } from '/demo/people.js';
import { showLevel } from '/demo/tide.js';

const TILES = [
  ['connections', 'Connections'], ['websockets', 'WebSockets'], ['streams', 'SSE streams'],
  ['topics', 'Topics'], ['published', 'Published'], ['delivered', 'Delivered'],
];
const NOTHING_SAID = 'Nothing said here yet. Open this page in a second tab and talk to yourself.';
const BIRDS = ['Heron', 'Tern', 'Plover', 'Curlew', 'Dunlin', 'Avocet', 'Godwit', 'Egret'];

const validRoom = text => /^[A-Za-z0-9_-]{1,40}$/.test(text);
let me = null;          // the welcome of this connection
let generation = null;  // of the scripts, as last heard
let events = null;

// ---- chat

function showState(state) {
  $('link').dataset.state = state;
  if (state === 'wait') $('link-text').textContent = 'Connecting';
  if (state === 'lost') $('link-text').textContent = 'Connection lost, trying again';
}

function showWelcome(message) {
  me = message;
  $('link').dataset.connection = message.connection;
  $('link-text').textContent = `Connected since ${clock(message.since)} \u00b7 connection ${message.connection}`;
}

function showMessage({ name, text, at }) {
  const item = element('article', name === chat.name ? 'message own' : 'message');
  const head = element('header');
  head.append(element('b', '', name), timeElement(at));
  item.append(head, element('p', '', text));
  append($('log'), item);
}

function showNote(text) { append($('log'), element('p', 'system', text)); }

// The answer comes from the code that runs now, over the connection that was there before.
function showReload(answer) {
  const same = me && answer.connection === me.connection;
  const item = element('li');
  item.append(timeElement(Date.now() / 1000), element('span', '',
    `Generation ${answer.generation} took over. ${same ? 'Your connection is the same one' : 'Connection'}, `
    + `open since ${clock(answer.since)}.`));
  prepend($('generations'), item, 4);
}

// One visitor a tab, so that two tabs are two people; a tab that is loaded anew is the same one.
// crypto.randomUUID would exist on https and localhost only.
function visitorId() {
  const made = () => crypto.getRandomValues(new Uint32Array(4)).join('-');
  sessionStorage.setItem('visitor', sessionStorage.getItem('visitor') ?? made());
  return sessionStorage.getItem('visitor');
}

const chat = new Chat(visitorId(), {
  state: showState, welcome: showWelcome, message: showMessage,
  people: showPeople, presence: applyDiff, you: showReload, note: showNote,
});

// ---- events

function showEvent(event) {
  const { name, text } = JSON.parse(event.data);
  const item = element('li');
  item.append(element('div', 'id', `id: ${event.lastEventId}`), element('div', '', `${name}: ${text}`));
  append($('feed'), item);
}

function showNotice({ text, at }) {
  const item = element('li');
  item.append(element('span', '', text), timeElement(at));
  prepend($('notices'), item);
}

function showStats(stats) {
  for (const [key] of TILES) $(`tile-${key}`).textContent = (stats[key] ?? 0).toLocaleString();
  $('generation').textContent = `generation ${stats.generation}`;
  if (generation !== null && stats.generation > generation) chat.who();
  generation = stats.generation;
}

function listen(room) {
  events?.close();
  $('feed').replaceChildren(element('li', 'empty', 'Nothing came yet.'));
  $('notices').replaceChildren(element('li', 'empty', 'No notice yet.'));
  events = new EventSource(`/demo/events/${room}`);
  events.onopen = () => { $('feed-state').textContent = 'live'; };
  events.onerror = () => { $('feed-state').textContent = 'reconnecting'; };
  events.addEventListener('chat', showEvent);
  events.addEventListener('tide', event => showLevel(JSON.parse(event.data)));
  events.addEventListener('stats', event => showStats(JSON.parse(event.data)));
  events.addEventListener('notice', event => showNotice(JSON.parse(event.data)));
}

// ---- forms

function enter(room, name) {
  location.hash = room;
  sessionStorage.setItem('name', name);
  $('feed-command').textContent = `curl -N ${location.origin}/demo/feed/${room}`;
  if (room === chat.room) { chat.rename(name); return; }
  $('log').replaceChildren(element('p', 'empty', NOTHING_SAID));
  $('people').replaceChildren();
  $('people-count').textContent = '';
  chat.join(room, name);
  listen(room);
}

$('who').addEventListener('submit', event => {
  event.preventDefault();
  const name = $('name').value.trim();
  if (name && validRoom($('room').value)) enter($('room').value, name);
  $('text').focus();
});

$('say').addEventListener('submit', event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text && chat.say(text)) $('text').value = '';
});

addEventListener('hashchange', () => {
  const room = location.hash.slice(1);
  if (!validRoom(room) || room === chat.room) return;
  $('room').value = room;
  enter(room, chat.name);
});

// ---- start

for (const [key, label] of TILES) {
  const tile = element('div'), value = element('dd', '', '\u2013');
  value.id = `tile-${key}`;
  tile.append(element('dt', '', label), value);
  $('tiles').append(tile);
}
$('notify-command').textContent = `curl -X POST -d 'High water at noon' ${location.origin}/demo/notify`;
const bird = BIRDS[Math.floor(Math.random() * BIRDS.length)];
$('name').value = sessionStorage.getItem('name') || `${bird} ${Math.floor(Math.random() * 90 + 10)}`;
$('room').value = validRoom(location.hash.slice(1)) ? location.hash.slice(1) : 'lobby';
enter($('room').value, $('name').value);
wireCopyButtons();
