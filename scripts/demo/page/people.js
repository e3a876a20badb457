// Who is here: a list, kept up to date by the diffs that follow it.
import { $, element } from '/demo/dom.js';

const members = new Map();  // by id, in order of joining

function show() {
  const items = [...members.values()].map(({ info }) => element('li', '', info.name));
  $('people').replaceChildren(...items);
  $('people-count').textContent = items.length === 1 ? 'only you here' : `${items.length} people here`;
}

export function showPeople(list) {
  members.clear();
  applyDiff({ joins: list, leaves: [] });
}

// A join of who is there already tells a new name. A diff may come twice.
export function applyDiff({ joins, leaves }) {
  for (const { id } of leaves) members.delete(id);
  for (const member of joins) members.set(member.id, member);
  show();
}
