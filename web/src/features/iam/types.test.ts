import { describe, expect, it } from "vitest";
import { expiry, ssoFailure, ssoHref, type Token } from "./types";

const token = (expiry_time: number): Token => ({ token_id: "1", comment: "", creation_time: 0, expiry_time });

describe("single sign-on", () => {
  it("comes back to the own page only", () => {
    expect(ssoHref("/login", "/models?tab=x")).toBe("/login?next=%2Fmodels%3Ftab%3Dx");
    expect(ssoHref("/login", "//evil.example")).toBe("/login?next=%2F");
    expect(ssoHref("/login", null)).toBe("/login?next=%2F");
  });
  it("shows no text of the address", () => {
    expect(ssoFailure(null)).toBeNull();
    expect(ssoFailure("SSO_DENIED")?.message).toContain("refused");
    expect(ssoFailure("call 555 now")?.message).not.toContain("555");
  });
});

describe("expiry", () => {
  it("is told in days", () => {
    expect(expiry(token(-1), 0)).toBe("never");
    expect(expiry(token(5), 10)).toBe("expired");
    expect(expiry(token(3_600_000), 0)).toBe("within a day");
    expect(expiry(token(86_400_000), 0)).toBe("in 1 day");
    expect(expiry(token(86_400_000 * 30.5), 0)).toBe("in 30 days");
    expect(expiry(token(86_400_000 * 90 - 5000), 0)).toBe("in 90 days");
  });
});
