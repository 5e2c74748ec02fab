/**
 * Loaded before a function that is developed: says on its output what Alonce decides, as it is published on
 * `node:diagnostics_channel`, so that the function's own code is what is deployed.
 */
import { subscribe } from 'node:diagnostics_channel'
import { EVENTS, lineOf } from './alonce-event.ts'

for (const name of EVENTS) {
  subscribe(`alonce:${name}`, (message) => void process.stdout.write(lineOf(message)))
}
