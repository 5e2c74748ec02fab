import { fork } from 'node:child_process'
import { join } from 'node:path'

/** Sends the wish to a process of its own, and resolves to what it reports. Nothing measured runs in the process that asks. */
export function askChild<Wish extends object, Report>(file: string, wish: Wish): Promise<Report> {
  const child = fork(join(import.meta.dirname, file), {
    env: childEnvironment(process.env),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<Report>()
  child.once('message', (message) => resolve(message as Report))
  child.once('error', reject)
  child.once('exit', (code, signal) => reject(new Error(`${file} ended without a report (${signal ?? code})`)))
  child.send(wish)
  return promise.finally(() => child.kill('SIGKILL'))
}

/** The other end of `askChild`. */
export async function reportToParent<Wish, Report>(measure: (wish: Wish) => Promise<Report>): Promise<void> {
  const wish = await new Promise<Wish>((resolve) => process.once('message', (message) => resolve(message as Wish)))
  const report = await measure(wish)
  process.send?.(report as object)
}

/** Without a developer's credentials, profile or endpoint, and without a warning of the SDK's that its version 2 has ended. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('AWS_'))
  return { ...Object.fromEntries(kept), AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE: '1', NODE_OPTIONS: '' }
}
