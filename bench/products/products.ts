import type { Product } from './product.ts'

/** By their names on the command line of a child process. Loaded one by one: a child measures one product without the others. */
const LOADERS = {
  alonce: async () => (await import('./alonce.ts')).alonce,
  powertools: async () => (await import('./powertools.ts')).powertools,
  'dynamodb-lock-client': async () => (await import('./dynamodb-lock-client.ts')).dynamodbLockClient,
  deliveryhero: async () => (await import('./deliveryhero.ts')).deliveryhero,
  verrou: async () => (await import('./verrou.ts')).verrou,
} satisfies { readonly [name: string]: () => Promise<Product> }

export type ProductId = keyof typeof LOADERS

export const ONCE_PRODUCTS: readonly ProductId[] = ['alonce', 'powertools']
export const LOCK_PRODUCTS: readonly ProductId[] = ['alonce', 'dynamodb-lock-client', 'deliveryhero', 'verrou']
export const ALL_PRODUCTS: readonly ProductId[] = ['alonce', 'powertools', 'dynamodb-lock-client', 'deliveryhero', 'verrou']

/** Titles of columns, for those who need no product but its name. */
export const TITLE: { readonly [id in ProductId]: string } = {
  alonce: 'Alonce',
  powertools: 'Powertools',
  'dynamodb-lock-client': 'dynamodb-lock-client',
  deliveryhero: '@deliveryhero/dynamodb-lock',
  verrou: '@verrou/core',
}

export const loadProduct = (id: ProductId): Promise<Product> => LOADERS[id]()
