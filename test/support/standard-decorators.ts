import { transform } from 'esbuild'

interface TransformPlugin {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): Promise<{ code: string; map: string } | undefined>
}

/** vitest's own transformer leaves standard decorators in, and Node does not know them: esbuild takes the tests of decorators. */
export const standardDecorators: TransformPlugin = {
  name: 'standard-decorators',
  enforce: 'pre',
  transform: async (code, id) => {
    if (!/\/test\/.*decorat[^/]*\.ts$/.test(id.split('?')[0] ?? '') || !/^\s*@[A-Z]/m.test(code)) return undefined
    const options = { loader: 'ts', target: 'node22', sourcemap: true, sourcefile: id } as const
    return transform(code, { ...options, tsconfigRaw: { compilerOptions: { experimentalDecorators: false } } })
  },
}
