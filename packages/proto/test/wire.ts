import { expect, test } from "vitest";

/** What the generated code offers for each message, as far as these tests need it. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
}

/**
 * Bytes written by hand: hexadecimal digits, text between single quotes, comments from # to the end
 * of the line. White space between tokens means nothing.
 */
export function wire(notation: string): Buffer {
  const tokens = notation.replaceAll(/#.*$/gmu, "").match(/'[^']*'|\S+/gu) ?? [];
  return Buffer.concat(
    tokens.map((token) =>
      token.startsWith("'") ? Buffer.from(token.slice(1, -1)) : Buffer.from(token, "hex"),
    ),
  );
}

/** Tests that a message and its bytes correspond, in both directions. */
export function pin<T>(name: string, codec: Codec<T>, message: T, notation: string): void {
  test(`the wire form of ${name}`, () => {
    const bytes = wire(notation);
    expect(codec.decode(bytes)).toEqual(message);
    expect(Buffer.from(codec.encode(message).finish())).toEqual(bytes);
  });
}
