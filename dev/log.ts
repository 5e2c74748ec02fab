import { styleText } from 'node:util'

/** One thing that happened. */
export interface Line {
  /** The function that it is about, or `dev`. */
  readonly source: string
  /** For people. */
  readonly text: string
  /** For programs: what it is, and its particulars. */
  readonly event: string
  readonly [particular: string]: unknown
}

export type Log = (line: Line) => void

const SOURCE_CHARS = 10
const COLOR = { payments: 'cyan', orders: 'magenta', settlement: 'blue', dev: 'bold' } as const

/** For people, each line with the time and the function's name in front. Colours on a terminal, and not with NO_COLOR. */
export function textLog(out: NodeJS.WriteStream): Log {
  return ({ source, text }) => {
    const format = COLOR[source as keyof typeof COLOR] ?? 'dim'
    const name = styleText(format, source.padEnd(SOURCE_CHARS), { stream: out })
    const time = styleText('dim', new Date().toLocaleTimeString('en-GB'), { stream: out })
    for (const line of text.split('\n')) out.write(`${time} ${name} ${line}\n`)
  }
}

/** For programs: JSON, a line each. */
export function jsonLog(out: NodeJS.WriteStream): Log {
  return (line) => void out.write(`${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`)
}
