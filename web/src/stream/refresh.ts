/**
 * Reads again what news concern: gathered per frame of the screen, a noun at a time, at the pace of `pace.ts`.
 *
 * What if news come while a noun is being read? The answer under way may be older than the news, so it is read once more
 * when it is there; never two at once.
 */

import type { QueryClient } from "@tanstack/react-query";
import { isUrgent, type Noun } from "./effects";
import { LONGEST_PAUSE_MS, RESTED, URGENT_PAUSE_MS, afterReading, untilNext, type Pace } from "./pace";

interface Part {
  pace: Pace;
  wanted: boolean;
  busy: boolean;
}

export interface Refresher {
  news(nouns: readonly Noun[]): void;
  everything(): void;
}

export function makeRefresher(client: QueryClient): Refresher {
  const parts = new Map<Noun, Part>();
  let gathered = new Set<Noun>();
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    const nouns = gathered;
    gathered = new Set();
    for (const noun of nouns) want(noun);
  }

  function want(noun: Noun): void {
    const part = parts.get(noun) ?? { pace: RESTED, wanted: false, busy: false };
    parts.set(noun, part);
    part.wanted = true;
    if (!part.busy) void work(noun, part);
  }

  async function work(noun: Noun, part: Part): Promise<void> {
    const longest = isUrgent(noun) ? URGENT_PAUSE_MS : LONGEST_PAUSE_MS;
    part.busy = true;
    while (part.wanted) {
      await pause(untilNext(part.pace, performance.now()));
      part.wanted = false;
      part.pace = afterReading(part.pace, performance.now(), longest);
      await client.invalidateQueries({ queryKey: [noun] });
    }
    part.busy = false;
  }

  return {
    news(nouns) {
      for (const noun of nouns) gathered.add(noun);
      if (scheduled || gathered.size === 0) return;
      scheduled = true;
      // A page that nobody sees gets no frames; it still has to be right when it is looked at.
      if (document.hidden) setTimeout(flush, 250);
      else requestAnimationFrame(flush);
    },
    everything() {
      void client.invalidateQueries();
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));
