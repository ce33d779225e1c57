import fc from "fast-check";
import { expect, test } from "vitest";
import { PgwireError } from "../error.ts";
import { ScramClient } from "./scram.ts";

/** The exchange of RFC 7677, section 3. */
const RFC = {
  user: "user",
  password: "pencil",
  nonce: "rOprNGfwEbeRWgbNEkqO",
  first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst:
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  final:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

const CLIENT = {
  user: RFC.user,
  secret: { type: "password", password: RFC.password },
  binding: { type: "unsupported" },
  nonce: RFC.nonce,
} as const;
const NONCE = RFC.nonce;
const authenticationFailed: unknown = expect.objectContaining({ code: "AUTHENTICATION_FAILED" });

test("the exchange of RFC 7677 comes out as printed there", async () => {
  const scram = new ScramClient(CLIENT);
  expect(scram.firstMessage().toString()).toBe(RFC.first);
  expect((await scram.finalMessage(RFC.serverFirst)).toString()).toBe(RFC.final);
  scram.verify(RFC.serverFinal);
});

test.each([
  [{ type: "unsupported" }, "n,,", "SCRAM-SHA-256", "n,,"],
  [{ type: "unused" }, "y,,", "SCRAM-SHA-256", "y,,"],
  [
    { type: "bound", certificateHash: Buffer.from("hash") },
    "p=tls-server-end-point,,",
    "SCRAM-SHA-256-PLUS",
    "p=tls-server-end-point,,hash",
  ],
] as const)(
  "channel binding that is %j is said, and said again",
  async (binding, header, mechanism, said) => {
    const scram = new ScramClient({ ...CLIENT, binding });
    expect(scram.mechanism).toBe(mechanism);
    expect(scram.firstMessage().toString()).toBe(`${header}n=user,r=${NONCE}`);
    const [bound = ""] = (await scram.finalMessage(RFC.serverFirst)).toString().split(",");
    expect(Buffer.from(bound.slice(2), "base64").toString()).toBe(said);
  },
);

test("a user name cannot break out of its attribute", () => {
  const scram = new ScramClient({ ...CLIENT, user: "a=b,r=c" });
  expect(scram.firstMessage().toString()).toBe(`n,,n=a=3Db=2Cr=3Dc,r=${NONCE}`);
});

test.each([
  ["a nonce of its own", "r=somethingElse,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"],
  ["the client's nonce alone", `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
  ["a mandatory extension", `m=ext,r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
  ["no salt", `r=${NONCE}x,s=,i=4096`],
  ["a salt that is not base64", `r=${NONCE}x,s=W22Z!,i=4096`],
  ["no iteration count", `r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==`],
  ["no iterations", `r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0`],
  ["more work than is sane", `r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001`],
  ["a number in another form", `r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1e3`],
  ["nothing", ""],
])("a server's first message with %s is refused", async (_case, serverFirst) => {
  await expect(new ScramClient(CLIENT).finalMessage(serverFirst)).rejects.toEqual(
    authenticationFailed,
  );
});

test("a single iteration is enough, because PostgreSQL can be configured to it", async () => {
  const message = `r=${NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1`;
  expect((await new ScramClient(CLIENT).finalMessage(message)).toString()).toContain(
    `r=${NONCE}x,p=`,
  );
});

test.each([
  ["wrong", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="],
  ["too short", "v=6rri"],
  ["empty", "v="],
  ["missing", ""],
  ["not base64", "v=?"],
  ["an error", "e=other-error"],
])("a server signature that is %s is refused", async (_case, serverFinal) => {
  const scram = new ScramClient(CLIENT);
  await scram.finalMessage(RFC.serverFirst);
  expect(() => scram.verify(serverFinal)).toThrow(authenticationFailed);
});

test("a server that sends its proof before it asked for ours is refused", () => {
  expect(() => new ScramClient(CLIENT).verify(RFC.serverFinal)).toThrow(authenticationFailed);
});

test("arbitrary text from the server is refused with a typed error", async () => {
  const likely = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.string(), fc.base64String(), fc.integer())
      .map(([nonce, salt, count]) => `r=${nonce},s=${salt},i=${count}`),
  );
  await fc.assert(
    fc.asyncProperty(likely, async (text) => {
      const scram = new ScramClient(CLIENT);
      await expect(scram.finalMessage(text)).rejects.toBeInstanceOf(PgwireError);
      expect(() => scram.verify(text)).toThrow(PgwireError);
    }),
  );
});
