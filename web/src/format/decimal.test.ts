import { describe, expect, it } from "vitest";
import * as decimal from "./decimal";

const value = (text: string): decimal.Exact => {
  const read = decimal.parse(text);
  if (read === null) throw new Error(text);
  return read;
};

describe("a decimal", () => {
  it.each(["", " ", "NaN", "Infinity", "1e5", "1.", ".5", "0x1", "1,000", "--1", "1.2.3", "1_000", "9".repeat(41)])(
    "is not read from %j",
    (text) => expect(decimal.parse(text)).toBeNull(),
  );

  it.each([
    ["0.1", "0.1"],
    ["0.10", "0.1"],
    ["-0.0", "0"],
    ["100", "100"],
    ["007.50", "7.5"],
    ["12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"],
  ])("%s has the canonical text %s", (text, canonical) => expect(decimal.textOf(value(text))).toBe(canonical));

  it("keeps digits that a float would lose", () => {
    expect(decimal.exact("9499.224712487500000001")).toBe("9,499.224712487500000001");
    expect(decimal.textOf(decimal.subtract(value("0.3"), value("0.1")))).toBe("0.2");
    expect(decimal.textOf(decimal.multiply(value("0.1"), value("3")))).toBe("0.3");
  });

  it("is compared by its value, whatever its places", () => {
    expect(decimal.compare(value("1.0"), value("1"))).toBe(0);
    expect(decimal.compare(value("-1"), value("0.00001"))).toBe(-1);
    expect(decimal.compare(value("0.10001"), value("0.1"))).toBe(1);
  });

  it.each([
    ["0.5", 0, "0"],
    ["1.5", 0, "2"],
    ["2.5", 0, "2"],
    ["-2.5", 0, "-2"],
    ["-0.004", 2, "0"],
    ["0.005", 2, "0"],
    ["0.015", 2, "0.02"],
    ["1", 3, "1"],
  ])("%s rounds half to even at %i places: %s", (text, places, rounded) =>
    expect(decimal.textOf(decimal.round(value(text), places))).toBe(rounded),
  );
});

describe("what is shown", () => {
  it("groups thousands and writes a true minus", () => {
    expect(decimal.amount("1234567.891")).toBe("1,234,567.89");
    expect(decimal.amount("-1234.5")).toBe("−1,234.50");
    expect(decimal.amount("-0.001")).toBe("0.00");
    expect(decimal.amount("999.999", 0)).toBe("1,000");
  });

  it("writes the sign of a gain out, and none for zero", () => {
    expect(decimal.change("12")).toBe("+12.00");
    expect(decimal.change("-12")).toBe("−12.00");
    expect(decimal.change("0")).toBe("0.00");
  });

  it("says unknown as null, never as zero", () => {
    for (const shown of [decimal.amount, decimal.change, decimal.exact, decimal.percent, decimal.signOf]) {
      expect(shown(null)).toBeNull();
      expect(shown(undefined)).toBeNull();
      expect(shown("NaN")).toBeNull();
    }
    expect(decimal.atStep(null, "0.1")).toBeNull();
    expect(decimal.percentChange("Infinity")).toBeNull();
  });

  it("moves the point of a ratio to make percent", () => {
    expect(decimal.percent("0.1234", 2)).toBe("12.34 %");
    expect(decimal.percent("1")).toBe("100.0 %");
    expect(decimal.percent("165.9179")).toBe("16,591.8 %");
    expect(decimal.percent("-0.0005")).toBe("0.0 %");
    expect(decimal.percentChange("3.14159")).toBe("+3.14 %");
  });

  it("keeps the places of a tick", () => {
    expect(decimal.atStep("61234.5", "0.01")).toBe("61,234.50");
    expect(decimal.atStep("61234.5", null)).toBe("61,234.5");
    expect(decimal.placesOf("0.010")).toBe(2);
    expect(decimal.placesOf("5")).toBe(0);
  });
});

describe("what people type", () => {
  it.each([
    ["1,234.5", "1234.5"],
    [" 0.010 ", "0.01"],
    [".5", "0.5"],
    ["5.", "5"],
    ["12,345,678", "12345678"],
  ])("%j is %s", (text, plain) => expect(decimal.typed(text)).toBe(plain));

  it.each(["", "0", "0.00", "-1", "+1", "1,5", "1e3", "abc", "1 000", "NaN"])("%j is no size or price", (text) =>
    expect(decimal.typed(text)).toBeNull(),
  );
});
