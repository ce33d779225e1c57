import type { Command } from "commander";

/** The shells that a script is made for. */
export const COMPLETION_SHELLS = ["bash", "zsh", "fish"] as const;
export type CompletionShell = (typeof COMPLETION_SHELLS)[number];

/** What may follow the words of one command. */
interface Place {
  /** The names of the command and of those above it without the program, e.g. "ctl topo". */
  readonly path: string;
  readonly words: readonly string[];
  /** Options that take a value, by the values that they know; none: anything, such as a file. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** A script with which a shell completes commands, options and the words that options take. */
export function completionScript(program: Command, shell: CompletionShell): string {
  const places = placesOf(program, "");
  switch (shell) {
    case "bash":
      return bashScript(program.name(), places);
    case "zsh":
      return zshScript(program.name(), places);
    case "fish":
      return fishScript(program.name(), places);
  }
}

function placesOf(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  const commands = help.visibleCommands(command).filter((one) => one.name() !== "help");
  const values = options
    .filter(({ required, optional, long }) => (required || optional) && long !== undefined)
    .map(({ long, argChoices }) => [long ?? "", argChoices ?? []] as const);
  const words = [
    ...commands.map((one) => one.name()),
    ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ...options.flatMap(({ long }) => long ?? []),
  ];
  return [
    { path, words, values: new Map(values) },
    ...commands.flatMap((one) => placesOf(one, path === "" ? one.name() : `${path} ${one.name()}`)),
  ];
}

/** The lines of a `case` over path and option, in the syntax that bash and zsh share. */
function valueCases(places: readonly Place[]): string {
  return places
    .flatMap(({ path, values }) =>
      [...values].map(([option, words]) =>
        words.length === 0
          ? `    "${path} ${option}") return 1 ;;`
          : `    "${path} ${option}") words="${words.join(" ")}"; return 0 ;;`,
      ),
    )
    .join("\n");
}

function wordCases(places: readonly Place[]): string {
  return places.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`).join("\n");
}

/**
 * Sets `words` to what may stand at the cursor, from the words before it; fails where that is a value
 * that nobody can list.
 */
function wordsFunction(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return `_${name}_words() {
  local at="" last="" word
  for word in "$@"; do
    case "\${at:+$at }$word" in
    ${paths.join("|")}) at="\${at:+$at }$word" ;;
    esac
    last=$word
  done
  case "$at $last" in
${valueCases(places)}
  esac
  case "$at" in
${wordCases(places)}
  esac
}`;
}

function bashScript(name: string, places: readonly Place[]): string {
  return `# bash completion of ${name}: source <(${name} completion bash)
${wordsFunction(name, places)}
_${name}() {
  local words=""
  COMPREPLY=()
  if _${name}_words "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; then
    COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  else
    # The bash of macOS is from before compopt.
    compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -F _${name} ${name}
`;
}

function zshScript(name: string, places: readonly Place[]): string {
  return `#compdef ${name}
# zsh completion of ${name}: source <(${name} completion zsh), or a file _${name} in $fpath
${wordsFunction(name, places)}
_${name}_complete() {
  local words_before=("\${(@)words[2,CURRENT-1]}") list
  () {
    local words=""
    if _${name}_words "\${words_before[@]}"; then
      list=$words
    else
      list=
    fi
  }
  if [[ -n $list ]]; then
    compadd -- \${=list}
  else
    _files
  fi
}
compdef _${name}_complete ${name}
# A file in $fpath runs as the function for the first completion of a shell.
if [[ "\${funcstack[1]}" == _${name} ]]; then
  _${name}_complete
fi
`;
}

function fishScript(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== "").map(({ path }) => `'${path}'`);
  const at = (path: string): string => `-n 'test (__${name}_path) = "${path}"'`;
  const lines = places.flatMap(({ path, words, values }) => [
    `complete -c ${name} -f ${at(path)} -a '${words.join(" ")}'`,
    ...[...values].map(
      ([option, known]) =>
        `complete -c ${name} ${at(path)} -l ${option.slice(2)} ` +
        (known.length === 0 ? "-r -F" : `-x -a '${known.join(" ")}'`),
    ),
  ]);
  return `# fish completion of ${name}: ${name} completion fish | source
function __${name}_path
    set -l at ''
    for word in (commandline -opc)[2..]
        set -l next (string trim "$at $word")
        if contains -- $next ${paths.join(" ")}
            set at $next
        end
    end
    echo $at
end
${lines.join("\n")}
`;
}
