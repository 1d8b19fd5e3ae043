/** Mantine in the desk's clothes: sea and ink, small, square, quiet. Colours that change with the scheme are in tokens.css. */

import { createTheme, type MantineColorsTuple } from "@mantine/core";

const sea: MantineColorsTuple = [
  "#e8f4f8",
  "#d3e6ed",
  "#a5ccd9",
  "#74b1c5",
  "#4d9ab4",
  "#338ca9",
  "#1f7f9d",
  "#0f6a86",
  "#0a5a73",
  "#074a60",
];
const signal: MantineColorsTuple = [
  "#ffecea",
  "#fcd8d5",
  "#f3afa9",
  "#eb837a",
  "#e35d52",
  "#df4639",
  "#d9372b",
  "#c3291e",
  "#ae2219",
  "#991812",
];

/** What Mantine draws dark things with: night at sea rather than grey. */
const dark: MantineColorsTuple = [
  "#e2ebee",
  "#c3d0d6",
  "#94a8b1",
  "#7b919b",
  "#2b424e",
  "#1f313b",
  "#142530",
  "#0f1c24",
  "#0c161c",
  "#0a1217",
];

export const theme = createTheme({
  colors: { sea, signal, dark },
  primaryColor: "sea",
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: 3,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontWeight: "600" },
  cursorType: "pointer",
  respectReducedMotion: true,
});
