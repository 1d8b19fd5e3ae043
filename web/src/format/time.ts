/**
 * Times and ages for people. The desk's clock and the browser's may differ, so what counts down or grows old does it
 * from the seconds that the desk told, by the browser's monotonic clock, never by comparing two calendars.
 */

const two = (part: number): string => part.toString().padStart(2, "0");

export function clockTime(iso: string): string {
  const at = new Date(iso);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The time of today, the day and time of another day; local. */
export function moment(iso: string, today: Date): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const sameDay = at.toDateString() === today.toDateString();
  return sameDay ? clockTime(iso) : `${day(at)} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export function day(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** How old: `0.4 s`, `12 s`, `3 min`, `2 h`, `4 d`. */
export function age(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`;
  if (seconds < 5_970) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(0)} h`;
  return `${(seconds / 86_400).toFixed(0)} d`;
}

/** Something that the desk said had so many seconds at the moment it was received. */
export interface Told {
  readonly seconds: number;
  /** `performance.now()` when it was received. */
  readonly receivedAt: number;
}

/** How old it is now. */
export function ageNow(told: Told, now: number): number {
  return told.seconds + Math.max(0, now - told.receivedAt) / 1_000;
}

/** What is left of a countdown, never below zero. */
export function leftNow(told: Told, now: number): number {
  return Math.max(0, told.seconds - Math.max(0, now - told.receivedAt) / 1_000);
}

/** Seconds for a countdown: whole, rounded up, so that 0 means that it is over. */
export function countdownText(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole >= 60 ? `${Math.floor(whole / 60)}:${two(whole % 60)}` : `${whole} s`;
}

export type Freshness = "fresh" | "ageing" | "stale" | "unknown";

/** From when prices look old, and from when the gate opens nothing on them (5 s for crypto and FX). */
export const AGEING_SECONDS = 2.5;
export const STALE_SECONDS = 5;

export function freshness(seconds: number | null): Freshness {
  if (seconds === null) return "unknown";
  if (seconds < AGEING_SECONDS) return "fresh";
  return seconds < STALE_SECONDS ? "ageing" : "stale";
}
