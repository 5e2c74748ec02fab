import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly lastLine: string
}

/** As `npm run demo -- …` does. */
export function startDemo(...args: string[]): ChildProcess {
  const script = join(import.meta.dirname, '../../demo/demo.ts')
  return spawn(process.execPath, ['--conditions=@alonce/source', script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

export async function demo(...args: string[]): Promise<Finished> {
  const child = startDemo(...args)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' }
}
