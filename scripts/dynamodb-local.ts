import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** For whoever is skipped or refused without it. */
export const JAVA_MISSING =
  'DynamoDB Local needs Java 17 or later, and there is none. Install one, e.g. apt-get install openjdk-17-jre-headless'

const OLDEST_JAVA = 17
const EMULATOR = join(import.meta.dirname, '../node_modules/amplify-dynamodb-simulator/emulator')

/** The major version of the machine's Java, or `undefined` when there is none that can run DynamoDB Local. */
export function javaVersion(): number | undefined {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const version = Number(/version "(\d+)/.exec(stderr ?? '')?.[1])
  return version >= OLDEST_JAVA ? version : undefined
}

export interface DynamoDBLocal {
  readonly endpoint: string
  readonly pid: number
  /** Kills it and waits until it is gone. */
  stop(): Promise<void>
}

/**
 * AWS's own DynamoDB Local, in memory, on a free port. It is not awaited: it takes a second and a half to come up, which a
 * run without DynamoDB tests need not wait for. See `untilUp`.
 */
export async function startDynamoDBLocal(): Promise<DynamoDBLocal> {
  const port = await freePort()
  const java = [
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Djava.library.path=${join(EMULATOR, 'DynamoDBLocal_lib')}`,
  ]
  const jar = ['-jar', join(EMULATOR, 'DynamoDBLocal.jar'), '-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)]
  // It leaves a file of its own where it runs.
  const cwd = mkdtempSync(join(tmpdir(), 'alonce-dynamodb-'))
  const child: ChildProcess = spawn('java', [...java, ...jar], { cwd, stdio: 'ignore', env: withoutAws(process.env) })
  // So that nothing of it outlives us, however we end.
  const kill = (): void => {
    child.kill('SIGKILL')
    rmSync(cwd, { recursive: true, force: true })
  }
  process.once('exit', kill)
  return {
    endpoint: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      process.removeListener('exit', kill)
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      kill()
      await gone
      rmSync(cwd, { recursive: true, force: true })
    },
  }
}

/** Resolves when it answers. */
export async function untilUp(endpoint: string, withinMs = 30_000): Promise<void> {
  const until = Date.now() + withinMs
  for (;;) {
    const up = await fetch(loopback(endpoint)).then(
      (response) => response.arrayBuffer(),
      () => undefined,
    )
    if (up) return
    if (Date.now() > until) throw new Error(`DynamoDB Local did not come up within ${withinMs} ms`)
    await delay(50)
  }
}

/** Tests and demo never leave this machine, whatever the environment says. */
export function loopback(endpoint: string): string {
  const { hostname } = new URL(endpoint)
  if (hostname !== '127.0.0.1' && hostname !== 'localhost' && hostname !== '[::1]') {
    throw new Error(`Refused: ${endpoint} is not on this machine`)
  }
  return endpoint
}

/** The environment without a developer's credentials, profile or endpoint. */
export function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')))
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No free port')
  return address.port
}
