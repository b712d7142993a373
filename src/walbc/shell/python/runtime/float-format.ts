/** Digits of doubles, rounded exactly and half to even as C's printf does. */

/** value = mantissa * 2 ** exponent, exactly; the value is finite and not negative. */
function decompose(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

/** value * 10 ** places as a whole number, half to even. */
function scaled(value: number, places: number): bigint {
  const { mantissa, exponent } = decompose(value);
  const ten = 10n ** BigInt(Math.abs(places));
  let [top, bottom] = places >= 0 ? [mantissa * ten, 1n] : [mantissa, ten];
  if (exponent >= 0) top <<= BigInt(exponent);
  else bottom <<= BigInt(-exponent);
  const whole = top / bottom;
  const twice = (top % bottom) * 2n;
  const isUp = twice > bottom || (twice === bottom && whole % 2n === 1n);
  return isUp ? whole + 1n : whole;
}

/** `%.3f` of a value that is not negative. */
export function fixed(value: number, places: number): string {
  const digits = scaled(value, places)
    .toString()
    .padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** Digits and exponent of `%.*e`. */
function exponential(
  value: number,
  places: number,
): { readonly digits: string; readonly exponent: number } {
  if (value === 0) return { digits: '0'.repeat(places + 1), exponent: 0 };
  let exponent = Number(value.toExponential().split('e')[1]);
  let digits = scaled(value, places - exponent).toString();
  // The shortest digits, of which the exponent is, may lie on the other side of a power of ten.
  if (digits.length !== places + 1) {
    exponent += digits.length > places + 1 ? 1 : -1;
    digits = scaled(value, places - exponent).toString();
  }
  return { digits, exponent };
}

export function scientific(value: number, places: number): string {
  const { digits, exponent } = exponential(value, places);
  const point = places === 0 ? '' : `.${digits.slice(1)}`;
  return `${digits[0]}${point}${power(exponent)}`;
}

function power(exponent: number): string {
  return `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/**
 * `%g` with so many significant digits; trailing zeros only when they are kept. `isPlain`: without a
 * type, a float goes over to an exponent one digit earlier, as there has to be a digit after the point.
 */
export function general(
  value: number,
  significant: number,
  keepZeros: boolean,
  isPlain = false,
): string {
  const { digits, exponent } = exponential(value, significant - 1);
  const strip = (text: string): string =>
    keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/, '');
  const limit = isPlain ? significant - 1 : significant;
  if (exponent < -4 || exponent >= limit) {
    const point = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${strip(`${digits[0]}${point}`)}${power(exponent)}`;
  }
  return strip(fixed(value, Math.max(0, significant - 1 - exponent)));
}

/** `round(value, places)` for any sign, as the nearest double of the decimal result. */
export function roundTo(value: number, places: number): number {
  if (!Number.isFinite(value) || places > 323) return value;
  if (places < -308) return value * 0;
  const size = Math.abs(value);
  const rounded = scaled(size, places);
  const result =
    places >= 0 ? Number(fixed(size, places)) : Number(rounded * 10n ** BigInt(-places));
  return value < 0 || Object.is(value, -0) ? -result : result;
}
