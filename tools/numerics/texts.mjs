// A hundred texts in twenty scripts: the first sentence of the Universal Declaration of Human Rights (1948) in each, and four
// texts made of it. From 1 word to about 200 tokens of a vocabulary that knows little more than letters.
const SENTENCES = [
  ["Latin", "All human beings are born free and equal in dignity and rights."],
  ["Cyrillic", "Все люди рождаются свободными и равными в своем достоинстве и правах."],
  ["Greek", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα."],
  ["Arabic", "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق."],
  ["Hebrew", "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם."],
  ["Armenian", "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։"],
  ["Georgian", "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით."],
  ["Devanagari", "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।"],
  ["Bengali", "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।"],
  ["Gurmukhi", "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ।"],
  ["Gujarati", "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે."],
  ["Tamil", "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள்."],
  ["Telugu", "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు."],
  ["Kannada", "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ ಹಾಗೂ ಘನತೆ ಮತ್ತು ಹಕ್ಕುಗಳಲ್ಲಿ ಸಮಾನರಾಗಿದ್ದಾರೆ."],
  ["Malayalam", "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടും കൂടി ജനിച്ചവരാണ്."],
  ["Thai", "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"],
  ["Ethiopic", "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።"],
  ["Han", "人人生而自由,在尊严和权利上一律平等。"],
  ["Kana", "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"],
  ["Hangul", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."],
];

const words = (text) => (text.includes(" ") ? text.split(" ") : [...text]);
const join = (list, text) => list.join(text.includes(" ") ? " " : "");

/** [{ name, text }]: 5 for each script. */
export const texts = SENTENCES.flatMap(([script, text], i) => {
  const list = words(text),
    other = SENTENCES[(i + 7) % SENTENCES.length][1];
  const forms = {
    word: list[0],
    half: join(list.slice(0, Math.ceil(list.length / 2)), text),
    sentence: text,
    mixed: `${text} 10.12.1948 ☀️ ${other} (${i + 1}/20) https://example.org/?q=${i}`,
    // Turned word by word, so that the repetitions are not the same.
    long: Array.from({ length: 2 + (i % 2) }, (_, n) =>
      join([...list.slice(n), ...list.slice(0, n)], text),
    ).join(" "),
  };
  return Object.entries(forms).map(([form, value]) => ({ name: `${script} ${form}`, text: value }));
});
