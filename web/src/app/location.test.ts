import { expect, it } from "vitest";
import { placeOf } from "./location";

it.each([
  ["", { at: "desk" }],
  ["#/", { at: "desk" }],
  ["#/anything", { at: "desk" }],
  ["#/sign-in", { at: "sign-in" }],
  ["#/welcome?token=abc%2Bd", { at: "welcome", token: "abc+d" }],
  ["#/welcome", { at: "welcome", token: "" }],
])("the address %j is the place %j", (hash, place) => expect(placeOf(hash)).toEqual(place));
