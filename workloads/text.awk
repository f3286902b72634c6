# The text that the shell tests sort and search: 600 lines of five to nine words, the same wherever it is made.

# Whole numbers below 2^31 by the minimal standard generator, exact in any awk's floating point.
function random(limit) {
	state = state * 16807 % 2147483647
	return state % limit
}

BEGIN {
	count = split("a about after all also and any as at back be because but by can come could day do even find first " \
		"for from get give go good guest have he her him his host how if in into it its just kernel know like " \
		"look machine make many me memory more my network new no node not now of on one only or other our out " \
		"over page process root say see share so some start state take than that the the the the their them then " \
		"there these they thing think this time to two up us use very want way we well what when which who will " \
		"with work would year you your", words, " ")
	state = 2006
	for (line = 1; line <= 600; line++) {
		text = words[random(count) + 1]
		for (left = 4 + random(5); left > 0; left--)
			text = text " " words[random(count) + 1]
		print text
	}
}
