/** Where the page is: its address behind the `#`, which the browser never sends to a server or a log. */

import { makeStore } from "../stream/store";

export type Place = { readonly at: "desk" } | { readonly at: "sign-in" } | { readonly at: "welcome"; readonly token: string };

export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  if (path === "welcome") return { at: "welcome", token: new URLSearchParams(query).get("token") ?? "" };
  return { at: path === "sign-in" ? "sign-in" : "desk" };
}

export const place = makeStore<Place>({ at: "desk" });

/** Follow the address. */
export function followLocation(): void {
  const read = (): void => place.set(placeOf(window.location.hash));
  window.addEventListener("hashchange", read);
  read();
}

/** Go elsewhere without a trace: a used token has no business in the history. */
export function goTo(where: "desk" | "sign-in"): void {
  history.replaceState(null, "", where === "desk" ? "#/" : "#/sign-in");
  place.set({ at: where });
}
