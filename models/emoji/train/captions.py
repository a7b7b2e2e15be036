"""CLDR annotations and territory names -> concepts, strings and targets (build/emoji/captions.pkl).

Takes the npm packages cldr-annotations-full, cldr-annotations-derived-full and
cldr-localenames-full, and the rendered styles (a concept needs a picture).

The file holds a dict:
  concepts  list of emoji (without FE0F and skin tones), sorted; the index is the concept's number
  data      locale -> list of (concept, names, keywords, withheld keywords), all strings folded
  weight    locale -> sampling weight
  listed    languages of the jina-clip-v2 model card; top: the main languages among them
"""
import hashlib
import json
import os
import pickle
import unicodedata

import numpy as np

from common import NODE, SMOKE, SMOKE_LOCALES, TEST_STYLES, TRAIN_STYLES, canon, has_tone, work

TOP = 'ar bn da de el en es fi fr hi id it ja ka ko lv nl no pl pt ro ru sk sv th tr uk ur vi zh'.split()
LISTED = ('af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy '
          'id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa '
          'sd si sk sl so sq sr su sv sw ta te th fil tr ug uk ur uz vi xh yi zh').split()
MAJOR = 'es fr de zh ja ko pt ru it ar hi'.split()
WITHHELD = 0.04  # share of (concept, keyword) pairs kept out of training, for the report

# "flag of X" in the languages where the order of words is simple; X is the territory's name.
FLAG_OF = {
    'en': ['flag of {}', '{} flag', 'flag {}'], 'de': ['flagge von {}', '{} flagge'], 'fr': ['drapeau {}', 'drapeau de {}'],
    'es': ['bandera de {}'], 'pt': ['bandeira {}', 'bandeira de {}'], 'it': ['bandiera {}', 'bandiera di {}'],
    'ko': ['{} 국기', '{} 깃발'], 'ja': ['{}の国旗', '{} 国旗'], 'zh': ['{}国旗', '{}的国旗'], 'ru': ['флаг {}'],
    'ar': ['علم {}'], 'hi': ['{} का झंडा'], 'tr': ['{} bayrağı'], 'nl': ['vlag van {}'], 'pl': ['flaga {}'],
    'sv': ['{} flagga'], 'id': ['bendera {}'], 'vi': ['cờ {}', 'quốc kỳ {}'], 'th': ['ธง{}'], 'uk': ['прапор {}'],
}
# Everyday short names that CLDR does not have.
EXTRA = {
    'en': {'KR': ['korea'], 'US': ['usa', 'america'], 'GB': ['britain', 'great britain'], 'NL': ['holland'],
           'AE': ['emirates'], 'CZ': ['czech republic'], 'CH': ['swiss']},
    'de': {'KR': ['korea'], 'US': ['amerika'], 'NL': ['holland'], 'GB': ['großbritannien']},
    'fr': {'KR': ['corée'], 'US': ['amérique'], 'NL': ['hollande'], 'GB': ['grande-bretagne']},
    'es': {'KR': ['corea'], 'US': ['américa'], 'NL': ['holanda'], 'GB': ['gran bretaña']},
    'it': {'KR': ['corea'], 'US': ['america'], 'NL': ['olanda']}, 'pt': {'KR': ['coreia'], 'NL': ['holanda']},
    'ru': {'KR': ['корея'], 'US': ['америка'], 'NL': ['голландия']}, 'ja': {'KR': ['韓国'], 'GB': ['英国']},
    'zh': {'KR': ['韩国']},
}


def fold(text):
    """The tokenizer's own normalisation (NFKC and case folding), so that equal inputs count as equal strings."""
    return ' '.join(unicodedata.normalize('NFKC', text).casefold().split())


def load(path):
    with open(os.path.join(NODE, path), encoding='utf-8') as f:
        return json.load(f)


def read_locale(locale, drawn):
    """concept -> (names, keywords) of one locale."""
    entries = dict(load(f'cldr-annotations-full/annotations/{locale}/annotations.json')['annotations'].get('annotations', {}))
    derived = f'cldr-annotations-derived-full/annotationsDerived/{locale}/annotations.json'
    if os.path.exists(os.path.join(NODE, derived)):
        for emoji, entry in load(derived)['annotationsDerived'].get('annotations', {}).items():
            entries.setdefault(emoji, entry)
    out = {}
    for emoji, entry in entries.items():
        key = canon(emoji)
        if has_tone(key) or key not in drawn:
            continue
        names = [fold(x) for x in entry.get('tts', []) if x != '↑↑↑']
        keywords = [fold(x) for x in entry.get('default', []) if x != '↑↑↑']
        names = [x for x in names if x]
        keywords = [x for x in keywords if x and x not in names]
        if names or keywords:
            out[key] = (names, keywords)
    return out


def territory_names(locale):
    """flag emoji -> names of the territory, and "flag of X" forms."""
    path = f'cldr-localenames-full/main/{locale}/territories.json'
    if not os.path.exists(os.path.join(NODE, path)):
        return {}
    table = load(path)['main'][locale]['localeDisplayNames'].get('territories', {})
    out = {}
    for code, name in table.items():
        region = code.split('-')[0]
        if len(region) != 2 or not region.isalpha() or name == region:
            continue
        flag = ''.join(chr(0x1F1E6 + ord(c) - 65) for c in region)
        out.setdefault(flag, []).append(fold(name))
    for region, names in EXTRA.get(locale, {}).items():
        flag = ''.join(chr(0x1F1E6 + ord(c) - 65) for c in region)
        out.setdefault(flag, []).extend(fold(x) for x in names)
    for flag, names in out.items():
        names.extend([form.format(x) for x in list(names) for form in FLAG_OF.get(locale, [])])
    return out


def withheld(emoji, keyword):
    digest = hashlib.md5(f'{emoji}|{keyword}'.encode()).hexdigest()
    return int(digest[:8], 16) % 10000 < WITHHELD * 10000


def weight_of(locale, rows):
    language = locale.split('-')[0]
    weight = 1.8 if language in LISTED else 0.4
    if language in TOP:
        weight = 2.2
    if locale in MAJOR:
        weight = 3.0
    if locale == 'en':
        weight = 5.0
    if '-' in locale and locale not in ('zh-Hant', 'sr-Latn'):
        weight *= 0.2
    return weight * min(1, rows / 1500)


def main():
    """Writes captions.pkl."""
    drawn = set()
    for style in TRAIN_STYLES:
        drawn |= set(np.load(work(f'art_{style}.npz'))['keys'].tolist())
    locales = {}
    found = sorted(os.listdir(os.path.join(NODE, 'cldr-annotations-full/annotations')))
    for locale in sorted(SMOKE_LOCALES) if SMOKE else found:
        entries = read_locale(locale, drawn)
        if entries:
            locales[locale] = entries
    concepts = sorted(locales['en'])
    number = {emoji: i for i, emoji in enumerate(concepts)}
    names_of = {}
    for entries in locales.values():
        for emoji, (names, _) in entries.items():
            names_of.setdefault(emoji, set()).update(names)
    data = {}
    for locale, entries in locales.items():
        places = territory_names(locale)
        rows = []
        for emoji, (names, keywords) in sorted(entries.items()):
            if emoji not in number:
                continue
            keep, apart = [], []
            for keyword in keywords:
                hidden = keyword not in names_of[emoji] and withheld(emoji, keyword)
                (apart if hidden else keep).append(keyword)
            keep += [x for x in dict.fromkeys(places.get(emoji, [])) if x not in names and x not in keep]
            rows.append((number[emoji], names, keep, apart))
        if rows:
            data[locale] = rows
    weight = {locale: weight_of(locale, len(rows)) for locale, rows in data.items()}
    with open(work('captions.pkl'), 'wb') as f:
        pickle.dump({'concepts': concepts, 'data': data, 'weight': weight, 'listed': LISTED, 'top': TOP}, f)
    count = [sum(len(r[i]) for rows in data.values() for r in rows) for i in (1, 2, 3)]
    print(f'{len(concepts)} concepts, {len(data)} locales, {count[0]} names, {count[1]} keywords, {count[2]} withheld', flush=True)
    for style in TRAIN_STYLES + TEST_STYLES:
        keys = set(np.load(work(f'art_{style}.npz'))['keys'].tolist())
        print(f'  {style}: {len(keys & set(number))} concepts', flush=True)


if __name__ == '__main__':
    main()
