import { snippetsOf } from "./snippets.ts";

/** A command of the program as a document has it. */
export interface DocumentedCommand {
  /** The words behind `multipooler`, without quotes. */
  readonly words: readonly string[];
  /** 1-based. */
  readonly line: number;
}

/** What is short for `multipooler ctl`: in a clone, and in prose. */
const CTL = /^(?:npm run(?: -s| --silent)? ctl --|ctl(?= [a-z]))/;
const CTL_IN_FULL = "multipooler ctl";

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
    const command = text.replace(CTL, CTL_IN_FULL).replace(/ +#.*| [|>] .*/, "");
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

/** What may follow each command of a program, options and further commands, by its path: "ctl topo". */
export type CommandWords = ReadonlyMap<string, ReadonlySet<string>>;

/** What is wrong with a command: a word or an option that the program does not have there. */
export function commandFaults({ words, line }: DocumentedCommand, known: CommandWords): string[] {
  const path: string[] = [];
  for (const word of words) {
    const next = [...path, word].join(" ");
    if (known.has(next)) {
      path.push(word);
      continue;
    }
    const below = path.length === 0 ? "" : `${path.join(" ")} `;
    const hasCommands = [...known.keys()].some((each) => each !== "" && each.startsWith(below));
    if (hasCommands && /^[a-z-]+$/.test(word) && !word.startsWith("-")) {
      return [`${line}: there is no command "${next}"`];
    }
    break;
  }
  const options = known.get(path.join(" ")) ?? new Set();
  return words
    .filter((word) => /^--\w/.test(word))
    .map((word) => word.replace(/=.*/, ""))
    .filter((option) => !options.has(option))
    .map((option) => `${line}: "${path.join(" ")}" has no option ${option}`);
}

/** Reads what bash completes: a line for each command. */
export function completedWords(script: string): CommandWords {
  const lines = script.matchAll(/^ +"([^"]*)"\) words="([^"]*)" ;;$/gm);
  return new Map([...lines].map(([, path = "", words = ""]) => [path, new Set(words.split(" "))]));
}

/** The options and, below "Commands:", the names in a help of commander. */
export function helpWords(help: string): ReadonlySet<string> {
  const list = /^Commands:\n((?: .*\n?)+)/m.exec(help)?.[1] ?? "";
  const names = [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name ?? "");
  return new Set([...names, ...(help.match(/--[a-z][a-z-]*[a-z]/g) ?? [])]);
}

/** The names of settings in a document: code in prose that is nothing but a flag. */
export function flagsOf(markdown: string): { readonly flag: string; readonly line: number }[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, (code) => code.replaceAll(/[^\n]/g, " "));
  return [...prose.matchAll(/`(--[a-z][a-z-]*[a-z])(?:[ =][^`]*)?`/g)].map(
    ({ 1: flag = "", index }) => ({ flag, line: prose.slice(0, index).split("\n").length }),
  );
}
