// What the page knows now, shared by its parts.

// `started` is the promise of the page's start: which collection is asked is not known before.
export const store = window.localStorage;

export const state = {
  started: null, session: null, running: null, scope: new Set(), documents: [], total: 0,
  collection: "", view: null, trigger: null,
};

// An answer belongs to its session: stopping it is said to the service, leaving it only to this page.
export const stop = () => state.running?.stop();
export const leave = () => { state.running?.controller.abort(); state.running = null; };
