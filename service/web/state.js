// What the page knows now, shared by its parts.

// `started` is the promise of the page's start: which collection is asked is not known before.
export const store = window.localStorage;

export const state = {
  started: null, session: null, running: null, scope: new Set(), documents: [], total: 0,
  collection: "", view: null, trigger: null,
};

export const stop = () => state.running?.controller.abort();
