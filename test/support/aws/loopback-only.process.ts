/** Loaded before a program that must not leave this machine: whatever else it calls is refused, and written down. */
import { appendFileSync } from 'node:fs'
import { Socket } from 'node:net'

const LOOPBACK = /^(127\.|localhost$|::1$)/
const connect = Socket.prototype.connect as (...args: unknown[]) => Socket

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  const [first] = args.flat() as [{ readonly host?: string; readonly path?: string; readonly port?: number } | undefined]
  const host = first?.host ?? 'localhost'
  if (first?.path === undefined && !LOOPBACK.test(host)) {
    appendFileSync(String(process.env['TRESPASSES_FILE']), `${host}:${first?.port}\n`)
    this.destroy(new Error(`${host} is not this machine`))
    return this
  }
  return connect.apply(this, args)
} as typeof Socket.prototype.connect
