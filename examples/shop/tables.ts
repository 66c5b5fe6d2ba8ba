// What the shop knows: order lines, kept by key as the shop system sends them, and reference data from files. Names and
// dirt are those of the source; `models.ts` conforms them.
import { files, http, t, table } from 'millrace'

export const products = table(
  'products',
  {
    code: t.string().doc('Stock code; service codes such as POST stand among the products'),
    description: t.string().optional(),
    median_price: t.decimal(12, 3).optional().unit('GBP'),
    first_seen: t.timestamp().doc('In the original data, 2010 to 2011'),
    last_seen: t.timestamp(),
  },
  {
    doc: 'Catalogue of the gift shop, derived from its transactions',
    owner: 'shop-team',
    key: 'code',
    load: 'full',
    from: files({
      path: 'data/products.csv',
      format: 'csv',
      columns: { code: 'stock_code', median_price: 'median_unit_price_gbp' },
    }),
  },
)

export const clothing = table(
  'clothing',
  {
    code: t.string(),
    category: t.enum('trousers', 'skirts', 'blouses', 'sale'),
    colour: t.string(),
    price_usd: t.decimal(8, 2).unit('USD'),
  },
  {
    doc: 'Models of the clothing shop, derived from its clicks',
    owner: 'shop-team',
    key: 'code',
    load: 'full',
    from: files({ path: 'data/clothing.csv', format: 'csv' }),
  },
)

export const countries = table(
  'countries',
  {
    code: t.string().doc('ISO 3166 alpha-2'),
    code3: t.string(),
    name: t.string(),
    official_name: t.string().optional(),
    region: t.string().optional(),
    subregion: t.string().optional(),
    continent: t.string().optional(),
    currency: t.string().optional().doc('ISO 4217; several where a country has several'),
  },
  {
    doc: 'The countries of ISO 3166',
    owner: 'data-team',
    key: 'code',
    load: 'full',
    from: files({ path: 'data/countries.csv', format: 'csv' }),
  },
)

export const countryNames = table(
  'country_names',
  { name: t.string(), code: t.string().doc('ISO code; ZZ where the name is not a country'), note: t.string().optional() },
  {
    doc: 'The country names of the shop system and what they mean: EIRE is Ireland, RSA is South Africa',
    owner: 'data-team',
    key: 'name',
    load: 'full',
    from: files({ path: 'data/country_names.csv', format: 'csv' }),
  },
)

export const exchangeRates = table(
  'exchange_rates',
  {
    month: t.date(),
    country: t.string(),
    rate: t.double().doc('Units of the currency for one US dollar'),
  },
  {
    doc: 'Monthly exchange rates of the US Federal Reserve',
    owner: 'data-team',
    key: ['month', 'country'],
    load: 'full',
    from: files({ path: 'data/exchange_rates.csv', format: 'csv' }),
  },
)

export const orderLines = table(
  'order_lines',
  {
    id: t.string().doc('Invoice and position in it'),
    invoice: t.string(),
    line: t.int(),
    product: products.code,
    description: t.string().optional(),
    quantity: t.int().doc('Negative where goods come back'),
    unit_price: t.decimal(12, 3).unit('GBP'),
    amount: t.decimal(12, 2).unit('GBP').doc('Quantity times price, rounded to pence'),
    customer: t.string().optional().pii('id'),
    country: t.string().doc('As the shop system writes it'),
    cancelled: t.boolean(),
    placed: t.timestamp(),
  },
  {
    doc: 'Lines of orders and cancellations: real transactions, replayed',
    owner: 'shop-team',
    from: http(),
    key: 'id',
    partition: ['month(placed)'],
    cluster: ['placed'],
  },
)
