import { snippetsOf } from "./snippets.ts";

/** A command of the program as a document has it. */
export interface DocumentedCommand {
  /** The words behind `multipooler`, without quotes. */
  readonly words: readonly string[];
  /** 1-based. */
  readonly line: number;
}

/** Short for `multipooler ctl`: in a clone, and in prose. */
const CTL = /^(?:npm run(?: -s| --silent)? ctl --|ctl(?= [a-z]))/;

/** The commands of `program` in a Markdown text: lines of shell snippets, and code within prose. */
export function commandsOf(markdown: string, program: string): DocumentedCommand[] {
  const inSnippets = snippetsOf(markdown)
    .filter(({ language }) => language === "sh")
    .flatMap(({ code, line }) =>
      code.split("\n").map((text, index) => ({ text, line: line + index })),
    );
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, (code) => code.replaceAll(/[^\n]/g, " "));
  const inProse = [...prose.matchAll(/`([^`\n]+)`/g)].map(({ 1: text = "", index }) => ({
    text: text.replaceAll("\\|", "|"),
    line: prose.slice(0, index).split("\n").length,
  }));
  return [...inSnippets, ...inProse].flatMap(({ text, line }) => {
    const command = text.replace(CTL, `${program} ctl`).replace(/ +#.*| [|>] .*/, "");
    const words = wordsOf(command);
    return words[0] === program ? [{ words: words.slice(1), line }] : [];
  });
}

/** As a shell would split them, where nothing is expanded. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replaceAll(/["']/g, ""),
  );
}

/**
 * What is wrong with a command: a sub-command or an option that the help of its command does not have.
 *
 * @param helpOf the help of a command by its path, such as `["ctl", "status"]`
 */
export async function commandFaults(
  { words, line }: DocumentedCommand,
  helpOf: (path: readonly string[]) => Promise<string>,
): Promise<string[]> {
  const path: string[] = [];
  let help = await helpOf(path);
  for (const word of words) {
    const commands = subCommandsOf(help);
    if (word.startsWith("-") || commands.size === 0 || !/^[a-z-]+$/.test(word)) {
      break;
    }
    if (!commands.has(word)) {
      return [`${line}: there is no command "${[...path, word].join(" ")}"`];
    }
    path.push(word);
    help = await helpOf(path);
  }
  return words
    .filter((word) => /^--\w/.test(word))
    .map((word) => word.replace(/=.*/, ""))
    .filter((flag) => !new RegExp(`${flag}(?![\\w-])`).test(help))
    .map((flag) => `${line}: "${path.join(" ")}" has no option ${flag}`);
}

/** The names below "Commands:" in a help of commander. */
function subCommandsOf(help: string): ReadonlySet<string> {
  const list = /^Commands:\n((?: .*\n?)+)/m.exec(help)?.[1] ?? "";
  return new Set([...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name ?? ""));
}

/** The names of settings in a document: code in prose that is nothing but a flag. */
export function flagsOf(markdown: string): { readonly flag: string; readonly line: number }[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, (code) => code.replaceAll(/[^\n]/g, " "));
  return [...prose.matchAll(/`(--[a-z][a-z-]*[a-z])(?:[ =][^`]*)?`/g)].map(
    ({ 1: flag = "", index }) => ({ flag, line: prose.slice(0, index).split("\n").length }),
  );
}
