import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { confchangeRunner } from './confchange.ts'
import { interactionRunner } from './interaction/runner.ts'
import { runQuorum } from './quorum.ts'
import { type Directive, parseScript, withoutLog } from './script.ts'

/** How a script of a folder is run, directive by directive; a function of its own for each file, so each starts afresh. */
const RUNNERS: { readonly [folder: string]: () => (directive: Directive) => string } = {
  quorum: () => runQuorum,
  confchange: confchangeRunner,
  interaction: interactionRunner,
}

export interface Difference {
  readonly line: number
  readonly command: string
  readonly expected: string
  readonly actual: string
}

export interface Marks {
  /** As `interaction/prevote.txt`. */
  readonly script: string
  readonly directives: number
  readonly differences: readonly Difference[]
}

/** Where the scripts are: they belong to etcd-io/raft and are not part of this repository. */
export function scriptsFolder(): string {
  return resolve(join(import.meta.dirname, '../../..'), process.env['ETCD_RAFT_TESTDATA'] ?? '../shared/etcd-raft-testdata')
}

/** Undefined where there is no such folder. */
export function findScripts(folder: string): string[] | undefined {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.txt'))
  return files.filter((file) => basename(join(file, '..')) in RUNNERS).sort()
}

export function examine(folder: string, script: string): Marks {
  const directives = parseScript(readFileSync(join(folder, script), 'utf8'))
  const runner = RUNNERS[basename(join(script, '..'))]
  if (!runner) throw new Error(`No runner for ${relative(folder, script)}`)
  const run = runner()
  const differences = directives.flatMap((directive) => {
    const [expected, actual] = [withoutLog(directive.expected), withoutLog(attempt(run, directive))]
    return expected === actual ? [] : [{ line: directive.line, command: directive.command, expected, actual }]
  })
  return { script, directives: directives.length, differences }
}

/** A broken invariant is an answer too: it shows as a difference, and the rest of the script goes on. */
function attempt(run: (directive: Directive) => string, directive: Directive): string {
  try {
    return run(directive)
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}
