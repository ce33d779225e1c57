/** Escapes control characters, so that data cannot control the terminal. */
export function printable(value: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return value.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    if (character === "\n") {
      return "\\n";
    }
    if (character === "\t") {
      return "\\t";
    }
    if (character === "\r") {
      return "\\r";
    }
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
