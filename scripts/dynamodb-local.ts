/** AWS's DynamoDB Local, from the devDependency that carries it: for the tests and the demo. Needs Java 17 or later. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export const JAVA_MISSING =
  'DynamoDB Local needs Java 17 or later, and there is none. Install one, e.g. apt-get install openjdk-17-jre-headless'

const OLDEST_JAVA = 17

/** The major version of the Java on PATH; `undefined` when there is none, or one that is too old. */
export function javaVersion(): number | undefined {
  const { stderr, status } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const major = Number(/version "(\d+)/.exec(stderr ?? '')?.[1])
  return status === 0 && major >= OLDEST_JAVA ? major : undefined
}

export interface DynamodbLocal {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  /** Kills the emulator, by its id. Safe to call in an exit handler, and more than once. */
  stop(): void
}

const EMULATOR = join(import.meta.dirname, '../node_modules/amplify-dynamodb-simulator/emulator')
/** A small heap and the quick compiler: it lives for a minute. */
const JVM = ['-Xms64m', '-Xmx768m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const STARTS = 3
const START_LIMIT_MS = 30_000
const POLL_MS = 50

/** Starts it on a free port. Its data lives in memory and dies with it. */
export async function startDynamodbLocal(): Promise<DynamodbLocal> {
  if (javaVersion() === undefined) throw new Error(JAVA_MISSING)
  for (let start = 1; ; start++) {
    const port = await freePort()
    const child = launch(port)
    const endpoint = `http://127.0.0.1:${port}`
    const stop = (): void => void child.kill('SIGKILL')
    // Somebody may have taken the port since we found it free: then the emulator ends by itself.
    if (await answers(endpoint, child)) return { endpoint, stop }
    stop()
    if (start === STARTS) throw new Error(`DynamoDB Local did not start within ${START_LIMIT_MS} ms, ${STARTS} times over`)
  }
}

function launch(port: number): ChildProcess {
  const library = `-Djava.library.path=${join(EMULATOR, 'DynamoDBLocal_lib')}`
  const flags = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)]
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')))
  return spawn('java', [...JVM, library, '-jar', join(EMULATOR, 'DynamoDBLocal.jar'), ...flags], { stdio: 'ignore', env })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port')
  return address.port
}

async function answers(endpoint: string, child: ChildProcess): Promise<boolean> {
  for (let waited = 0; waited < START_LIMIT_MS && child.exitCode === null; waited += POLL_MS) {
    // Any answer will do, and it refuses a request without credentials.
    const up = await fetch(endpoint).then(
      () => true,
      () => false,
    )
    if (up && child.exitCode === null) return true
    await delay(POLL_MS)
  }
  return false
}
