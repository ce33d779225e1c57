/**
 * JSON whose strings cannot control the terminal, and mean the same: U+007F to U+009F, which JSON
 * leaves as they are, are escaped. U+009B alone begins a command on many terminals.
 */
export function printableJson(json: string): string {
  return json.replaceAll(/[\u007f-\u009f]/g, (character) => {
    return `\\u00${character.charCodeAt(0).toString(16)}`;
  });
}

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
