/**
 * The scripts' format (github.com/cockroachdb/datadriven): a command line, lines of input, `----`, and the expected output up
 * to the next empty line, or, where that itself has empty lines, between two doubled `----`.
 */
export interface Directive {
  readonly line: number
  readonly command: string
  readonly arguments: readonly Argument[]
  readonly input: string
  readonly expected: string
}

/** `key`, `key=value` or `key=(value, value)`. */
export interface Argument {
  readonly key: string
  readonly values: readonly string[]
}

export function parseScript(text: string): Directive[] {
  const lines = text.split('\n')
  const directives: Directive[] = []
  let at = 0
  const until = (end: (line: string) => boolean): string[] => {
    const from = at
    while (at < lines.length && !end(lines[at] ?? '')) at++
    return lines.slice(from, at)
  }
  for (;;) {
    until((line) => line.trim() !== '' && !line.startsWith('#'))
    if (at >= lines.length) return directives
    const line = at + 1
    let head = lines[at++]?.trim() ?? ''
    while (head.endsWith('\\')) head = `${head.slice(0, -1)}${lines[at++]?.trim() ?? ''}`
    const input = until((candidate) => candidate === '----').join('\n')
    at++
    let expected: string[]
    if (lines[at] === '----') {
      at++
      expected = until((candidate) => candidate === '----' && lines[at + 1] === '----')
      at += 2
    } else {
      expected = until((candidate) => candidate.trim() === '')
    }
    directives.push({ line, ...parseCommand(head), input, expected: expected.join('\n') })
  }
}

export function parseCommand(line: string): Pick<Directive, 'command' | 'arguments'> {
  const [command = '', ...words] = line.match(/[^\s=]+=\([^)]*\)|\S+/g) ?? []
  return { command, arguments: words.map(parseArgument) }
}

function parseArgument(word: string): Argument {
  const equals = word.indexOf('=')
  if (equals < 0) return { key: word, values: [] }
  const value = word.slice(equals + 1)
  const values = value.startsWith('(') ? value.slice(1, -1).split(',') : [value]
  return { key: word.slice(0, equals), values: values.map((each) => each.trim()).filter((each) => each !== '') }
}

export const valuesOf = (directive: Pick<Directive, 'arguments'>, key: string): readonly string[] =>
  directive.arguments.filter((argument) => argument.key === key).flatMap((argument) => argument.values)

/** Lines of their own that the original library's logger writes: its wording is no behaviour. */
const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL|PANIC) /

/** Without log lines, and without what a script's writer leaves at the ends of lines and of the text. */
export function withoutLog(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => !LOG_LINE.test(line))
    .map((line) => line.trimEnd())
  const trimmed = lines.join('\n').replace(/\n+$/, '')
  return trimmed === '' ? 'ok' : trimmed
}
