import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { JAVA_MISSING, javaVersion } from '../../scripts/dynamodb-local.ts'
import { demo, startDemo } from './run-demo.ts'

/** Few payments are enough: a small storm strikes between the charge and the completion first. */
const SMALL = ['--payments', '6', '--seed', '20260115']

/** Begun before the others and looked at last: most of its time it waits for leases to end. */
const onDynamodb =
  javaVersion() === undefined ? undefined : demo('--store', 'dynamodb-local', '--payments', '3', '--seed', '20260115')

const bareOnDynamodb =
  javaVersion() === undefined
    ? undefined
    : () => demo('--unprotected', '--store', 'dynamodb-local', '--payments', '1', '--seed', '20260115')

test('The payments function in a storm: no double charges, and status 0', { timeout: 120_000 }, async () => {
  const { status, stdout, stderr, lastLine } = await demo(...SMALL)
  expect(stderr).toBe('')
  expect(lastLine).toBe('double charges: 0')
  expect(status).toBe(0)
  expect(stdout).toContain('npm run demo -- --payments 6 --seed 20260115')
  expect(stdout).toContain('npm run demo -- --store dynamodb-local (needs Java)')
  // Processes were killed and frozen in earnest, and others took over.
  for (const word of ['KILLED', 'FROZEN', 'THAWED', 'took-over']) expect(stdout).toContain(word)
})

test('The bare handler in the same storm: double charges, and status 1', { timeout: 120_000 }, async () => {
  const { status, stdout, lastLine } = await demo('--unprotected', ...SMALL)
  expect(lastLine).toMatch(/^double charges: [1-9]\d*$/)
  expect(status).toBe(1)
  expect(stdout).toContain('CHARGED AGAIN')
})

test('The summary as JSON, and nothing else', { timeout: 120_000 }, async () => {
  const { status, stdout } = await demo('--json', '--payments', '2', '--seed', '1')
  expect(JSON.parse(stdout)).toMatchObject({
    store: 'memory',
    unprotected: false,
    seed: 1,
    payments: 2,
    charges: 2,
    doubleCharges: 0,
    missing: [],
    unanswered: [],
    contradicted: [],
    settled: true,
  })
  expect(status).toBe(0)
})

test('Wrong arguments: a message that says what is wrong, and status 2', async () => {
  const { status, stdout, stderr } = await demo('--payments', 'many')
  expect(stderr).toContain('--payments must be a whole number from 1 to 500, not "many".')
  expect(stdout).toBe('')
  expect(status).toBe(2)
})

test('Interrupted in the middle: its processes end with it, the frozen ones too', { timeout: 120_000 }, async () => {
  const child = startDemo('--payments', '20', '--seed', '20260115')
  let stdout = ''
  await new Promise<void>((frozen) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.includes('FROZEN')) frozen()
    })
  })
  const workers = childrenOf(child.pid ?? 0)
  expect(workers.length).toBeGreaterThanOrEqual(2)
  child.kill('SIGINT')
  const [status] = (await once(child, 'close')) as [number | null]
  expect(status).toBe(130)
  await expect.poll(() => workers.filter(isAlive), { timeout: 5000 }).toEqual([])
})

test('The payments function on DynamoDB Local: no double charges, and status 0', { timeout: 240_000 }, async ({ skip }) => {
  if (!onDynamodb) return skip(JAVA_MISSING)
  const { status, stdout, stderr, lastLine } = await onDynamodb
  expect(stderr).toBe('')
  expect(lastLine).toBe('double charges: 0')
  expect(status).toBe(0)
  for (const word of ['KILLED', 'took-over']) expect(stdout).toContain(word)
  // The other functions, too: a process killed after it had booked, a late booking, a run that writes too late.
  expect(stdout).toContain('orders      KILLED')
  expect(stdout).toContain('orders      THAWED')
  expect(stdout).toMatch(/^orders: 6 messages in \d+ deliveries, 6 bookings; double bookings: 0$/m)
  expect(stdout).toMatch(
    /^settlement: \d+ runs, [1-9]\d* skipped because another was at it, 1 too late and refused; wrong settlements: 0$/m,
  )
})

test('The bare functions on DynamoDB Local: double bookings and a wrong settlement', { timeout: 240_000 }, async ({ skip }) => {
  if (!bareOnDynamodb) return skip(JAVA_MISSING)
  const { status, stdout } = await bareOnDynamodb()
  expect(stdout).toMatch(/double bookings: [1-9]\d*$/m)
  expect(stdout).toMatch(/wrong settlements: [1-9]\d*$/m)
  expect(status).toBe(1)
})

function childrenOf(parent: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number))
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid ?? 0)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
