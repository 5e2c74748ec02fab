#!/usr/bin/env node
import { createRequire } from 'node:module'
import { hostname, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { alonce } from './program.ts'
import type { StopSignal, Surroundings } from './surroundings.ts'

/** The command `alonce`: the one file of the library that touches its process's environment, streams and signals. */
const { stdin, stdout, stderr } = process
const manifest = createRequire(import.meta.url)('alonce/package.json') as { version: string }

const surroundings: Surroundings = {
  env: process.env,
  // Whoever read us has gone (`alonce ls | head`): there is nobody to tell. But what runs under a lock goes on without our remarks.
  out: output(stdout, () => process.exit()),
  err: output(stderr, () => undefined),
  ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
  user: `${userName()}@${hostname()}`,
  label: `${hostname()} pid ${process.pid}`,
  versions: { alonce: manifest.version, node: process.versions.node },
  onSignals: (signals, action) => {
    const listen = (signal: NodeJS.Signals): void => action(signal as StopSignal)
    for (const signal of signals) process.on(signal, listen)
    return () => {
      for (const signal of signals) process.off(signal, listen)
    }
  },
}

function output(stream: NodeJS.WriteStream, onClosed: () => void): Surroundings['out'] {
  stream.on('error', onClosed)
  return { write: (text) => stream.write(text), isTTY: stream.isTTY === true }
}

async function ask(question: string): Promise<string> {
  using lines = createInterface({ input: stdin, output: stderr })
  return await lines.question(question)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // a container's user without a name
  }
}

process.exitCode = await alonce(process.argv.slice(2), surroundings)
