/** A fenced block of a Markdown document. */
export interface Snippet {
  /** The word after the fence: "ts", "sh". */
  readonly language: string;
  readonly code: string;
  /** 1-based line of the first line of code. */
  readonly line: number;
}

/** The fenced blocks of a Markdown text. */
export function snippetsOf(markdown: string): Snippet[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(
    ({ 1: language = "", 2: code = "", index }) => ({
      language,
      code,
      line: markdown.slice(0, index).split("\n").length + 1,
    }),
  );
}

/** A link to another file of the repository. */
export interface FileLink {
  readonly path: string;
  readonly line: number;
}

/** The relative links of a Markdown text, without their anchors; code is no link. */
export function fileLinksOf(markdown: string): FileLink[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$|`[^`\n]*`/gm, (code) =>
    code.replaceAll(/[^\n]/g, " "),
  );
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(({ 1: target = "", index }) => ({
      path: target.replace(/#.*$/, ""),
      line: prose.slice(0, index).split("\n").length,
    }))
    .filter(({ path }) => path !== "" && !/^[a-z]+:/.test(path));
}
