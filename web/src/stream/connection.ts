/**
 * Follows the desk's stream for as long as somebody is signed in: connects, checks the numbers, connects again.
 *
 * Rule 1. `last` is the number up to which this page is right. It goes up with each frame that follows it, and a
 *         reconnect asks for everything after it, so a desk that was restarted is caught up with, without a reload.
 *         What has no number (prices, values, questions that failed meanwhile) is read again after each reconnect.
 * Rule 2. A connection that says nothing for longer than two heartbeats is dead, whatever the network thinks.
 * Rule 3. A refused handshake tells a browser nothing, so after each failure the session is asked about: a page whose
 *         session ended goes to the sign-in, it does not knock for ever.
 *
 * What must not enter: what an event means (`effects.ts`), and when to read again (`refresh.ts`).
 */

import type { Frame } from "../api/types";
import { concerns } from "./effects";
import { lastEvent, link, takePulse, takeQuotes } from "./live";
import { onEvent, onHello, onSnapshotRequired, waitBefore, type Step } from "./numbers";
import type { Refresher } from "./refresh";

/** What the desk closes with: 4000 and a status. The session has ended; our number makes no sense to it. */
const SIGNED_OUT = 4401;
const NO_SUCH_NUMBER = 4422;
const FIRST_FRAME_MS = 8_000;

interface Doors {
  readonly refresher: Refresher;
  /** Ask whether the session still lives; signs the page out if not. */
  readonly askSession: () => void;
}

/** Follow the stream; the function given back ends it. */
export function follow(doors: Doors): () => void {
  let last: number | null = null;
  let socket: WebSocket | null = null;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setTimeout> | undefined;
  let silenceMs = FIRST_FRAME_MS;
  let ended = false;

  function open(): void {
    clearTimeout(timer);
    const made = new WebSocket(address(last));
    socket = made;
    silenceMs = FIRST_FRAME_MS;
    listenForSilence(made);
    made.onmessage = (message: MessageEvent<string>) => {
      listenForSilence(made);
      take(JSON.parse(message.data) as Frame, performance.now());
    };
    made.onclose = (close) => {
      if (socket === made) lost(close.code);
    };
  }

  function listenForSilence(watched: WebSocket): void {
    clearTimeout(watch);
    watch = setTimeout(() => {
      // `close` waits for the other side, who is silent: let go at once.
      watched.onclose = null;
      watched.onmessage = null;
      watched.close();
      lost(0);
    }, silenceMs);
  }

  function lost(code: number): void {
    clearTimeout(watch);
    socket = null;
    if (ended) return;
    if (link.get().state !== "reconnecting") link.set({ state: "reconnecting", since: performance.now() });
    attempt += 1;
    if (code === NO_SUCH_NUMBER) last = null;
    if (code === SIGNED_OUT || attempt % 3 === 1) doors.askSession();
    timer = setTimeout(open, waitBefore(attempt, Math.random()));
  }

  function take(frame: Frame, now: number): void {
    switch (frame.type) {
      case "hello":
        if (attempt > 0) doors.refresher.everything();
        attempt = 0;
        silenceMs = Math.max(FIRST_FRAME_MS, frame.heartbeat_seconds * 2_000);
        link.set({ state: "live" });
        act(onHello(last, frame.number));
        return;
      case "event": {
        const step = onEvent(last ?? frame.previous, frame);
        act(step);
        if (step.does === "skip") return;
        lastEvent.set(frame);
        if (step.does === "take") doors.refresher.news(concerns(frame.kind));
        return;
      }
      case "snapshot_required":
        act(onSnapshotRequired(frame.number));
        return;
      case "quotes":
        takeQuotes(frame.items, now);
        return;
      case "pulse":
        takePulse(frame.accounts, now);
        return;
      case "heartbeat":
        return;
    }
  }

  function act(step: Step): void {
    last = step.number;
    if (step.does === "refetch") doors.refresher.everything();
    // The next hello finds `attempt` counted up, and reads everything.
    if (step.does === "reopen") socket?.close();
  }

  /** The machine woke up, or the network is back: there is no reason to wait. */
  function hurry(): void {
    if (socket === null && !document.hidden) open();
  }

  window.addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    clearTimeout(watch);
    window.removeEventListener("online", hurry);
    document.removeEventListener("visibilitychange", hurry);
    socket?.close();
  };
}

function address(last: number | null): string {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const after = last === null ? "" : `?after=${last}`;
  return `${scheme}://${location.host}/api/v1/stream${after}`;
}
