/** An environment in which no AWS account, profile or region of the user's can be found: the demo talks to this machine only. */
export function withoutAws(env: NodeJS.ProcessEnv): { readonly [name: string]: string | undefined } {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('AWS_'))
  return { ...Object.fromEntries(kept), AWS_EC2_METADATA_DISABLED: 'true' }
}

/** @throws Error for an endpoint that another machine may answer. */
export function requireLoopback(endpoint: string): string {
  const { hostname } = new URL(endpoint)
  if (hostname === '127.0.0.1' || hostname === '[::1]') return endpoint
  throw new Error(`The demo talks to this machine only, not to ${hostname}. Use an endpoint on 127.0.0.1.`)
}
