"""The tables of the sample grammar: words, and the phrases built from them.

The notation is explained in `sample_grammar`. In WORDS the options of a table are Zipf-weighted, the first
being the most likely; in PHRASES they are equally likely unless a weight is written before one (`3* ...`).
A person `A` or `B` consists of the registers `A` (what the text calls them), `A.g` (gender) with the
pronouns `A.he`, `A.him`, `A.his`, `A.himself`, `A.man`, `A.sir`, and `A.trade` ("the glover"). `X` is the
thing a story turns on and `beast` the animal.
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    # --- people ---
    "first_m": """John | William | Thomas | James | Richard | Samuel | Joseph | Edward | Henry | Josiah | Matthew |
        Nathaniel | Daniel | Benjamin | Ralph | Humphrey | Jeremiah | Barnaby | Gilbert | Silas | Ambrose | Tobias |
        Giles | Solomon | Hugh | Walter | Simon | Caleb | Isaac | Roger | Lawrence | Abel | Peter | Stephen | Jonas
        | Martin | Obadiah | Augustus | Cuthbert | Marmaduke | George | Charles | Robert | Edmund | Philip |
        Christopher | Andrew | Arthur | Geoffrey | Leonard | Percival | Roland | Septimus | Valentine | Zachary |
        Noah | Amos | Eli | Jasper | Oliver | Rupert | Adam | Clement | Felix | Basil | Enoch | Gabriel | Jacob |
        Mark | Luke""",
    "first_f": """Mary | Elizabeth | Sarah | Ann | Jane | Hannah | Martha | Susan | Margaret | Charlotte | Kitty |
        Dorothy | Rebecca | Lucy | Harriet | Phoebe | Judith | Abigail | Betty | Peggy | Prudence | Letitia |
        Arabella | Nancy | Deborah | Rachel | Sophia | Tabitha | Isabel | Barbara | Winifred | Clarissa | Esther |
        Priscilla | Temperance | Rosamund | Bridget | Lydia | Eleanor | Philadelphia | Frances | Catherine | Grace |
        Emma | Alice | Joan | Agnes | Cecily | Dinah | Flora | Georgiana | Henrietta | Isabella | Julia | Louisa |
        Mabel | Nell | Olive | Patience | Ruth | Selina | Theodosia | Ursula | Violet | Amelia | Caroline | Emily |
        Maria | Polly | Rose""",
    "surname": """Pettigrew | Fairweather | Hobday | Lovell | Crabtree | Penfold | Quill | Ormerod | Bagshaw |
        Tidmarsh | Applegarth | Gosling | Mudge | Prewett | Sparrow | Twelvetrees | Plumley | Hartnoll | Drinkwater
        | Ashdown | Bellamy | Cobbold | Dunmow | Eastlake | Fothergill | Gathercole | Marchbank | Hathersage |
        Jessop | Kettlewell | Larkin | Merriweather | Nettleship | Oldacre | Peabody | Quince | Rookwood | Sallow |
        Tapsell | Underhay | Venables | Whitlow | Yardley | Bunting | Catchpole | Doubleday | Entwhistle | Fishlock
        | Greenhalgh | Honeychurch | Ironside | Lightfoot | Makepeace | Nightingale | Overbury | Pargeter | Rainbird
        | Stallybrass | Winterbourne | Woolcott | Abney | Ackroyd | Alderton | Attwater | Backhouse | Barleymow |
        Bickersteth | Birdwhistle | Blackadder | Boothby | Bracegirdle | Brindle | Broadbent | Butterworth |
        Cheeseman | Clutterbuck | Cricklewood | Culpeper | Dabney | Darnley | Dobbs | Draycott | Duckworth | Elphick
        | Eversleigh | Fairbrother | Farthing | Fennimore | Finch | Flitcroft | Foxley | Frobisher | Garland |
        Goodbody | Goodenough | Hackett | Hardcastle | Haywood | Hopwood | Huckaback | Ibbotson | Jolly | Kidney |
        Kirkbride | Lambkin | Leatherbarrow | Littlejohn | Loveday | Mallow | Merridew | Midwinter | Mossop |
        Murgatroyd | Neville | Nutkin | Oakapple | Onslow | Paddock | Parfitt | Peppercorn | Pilbeam | Pocock |
        Popplewell | Proudfoot | Pumphrey | Ramsbottom | Riddle | Rudge | Scattergood | Shillingford | Silverlock |
        Snell | Spindlow | Starling | Strangeways | Sugden | Swallow | Teasdale | Thimbleby | Tipping | Topliss |
        Trotter | Tuttle | Uphill | Vane | Vickery | Wagstaff | Waterhouse | Weatherby | Whistler | Wildgoose |
        Windle | Wragg | Yeo""",
    "trade_m": """bookseller | grocer | hatter | apothecary | watchmaker | tailor | draper | glover | cabinet-maker
        | printer | wine merchant | pewterer | wig-maker | goldsmith | ironmonger | saddler | tobacconist | engraver
        | candle-maker | baker | umbrella-maker | notary | organ-builder | spectacle-maker | confectioner |
        map-seller | schoolmaster | dancing-master | fencing-master | upholsterer | button-maker | brewer | butcher
        | cheesemonger | cutler | bell-founder | globe-maker | sugar-baker | attorney | parish clerk | tanner |
        cooper | surgeon | auctioneer | coffin-maker | seedsman | rope-maker | oil merchant | mustard-maker |
        chessman-turner | barber | hosier | brush-maker | toymaker | fruiterer | ink-maker | bookbinder | tea
        merchant | sail-maker | gunsmith | hop-factor | drawing-master | coin-dealer | pastry-cook | locksmith |
        furrier | silversmith | weaver | feltmaker | vintner""",
    "trade_f": """milliner | mantua-maker | pastry-cook | bookbinder | schoolmistress | lace-maker | fan-maker |
        stay-maker | tea-dealer | landlady | toy-seller | innkeeper | linen-draper | perfumer | seamstress | music
        teacher | print-seller | silk-dyer | feather-dealer | china-dealer | midwife | actress | corn-chandler |
        hosier | embroiderer | seed-merchant | painter of miniatures | dealer in muslins | stationer | glass-seller
        | teacher of French | straw-hat maker | coffee-seller | clear-starcher | shoe-dealer | tobacconist | grocer
        | fruiterer | bird-seller | wax-modeller | ink-seller | keeper of a coffee-house | glove-maker | silk-weaver
        | button-dealer | chocolate-maker | baker's widow | pawnbroker | cork-cutter | harp teacher | mustard-seller
        | poetess""",
    "humble_m": """waterman | porter | lamplighter | coachman | carter | knife-grinder | fiddler | gardener | ostler
        | bricklayer | chimney-sweep | ballad-singer | pedlar | drover | bill-sticker | rat-catcher | fishmonger |
        gravedigger | footman | drummer | letter-carrier | puppet-man | lighterman | dustman | hackney driver |
        bellows-mender | muffin man | cobbler | sawyer | crossing-sweeper | groom | thatcher | cork-cutter |
        well-digger | gingerbread seller | tinker | hay-carter | boatman | brewer's man | sailor | shepherd | potboy
        | bird-catcher | stone-breaker | news-crier | piper | mole-catcher | woodcutter | clock-winder | cat's-meat
        man | eel-seller | ferryman | basket-weaver | soldier on half pay""",
    "humble_f": """milkmaid | orange-seller | laundress | fishwife | cook | flower-seller | oyster-seller |
        chambermaid | ballad-singer | herb-seller | barmaid | nursemaid | lace-mender | pie-seller | muffin-seller |
        charwoman | ribbon-seller | kitchen-maid | pin-maker | broom-seller | gingerbread-seller | button-sewer |
        needlewoman | watercress girl | rag-dealer | spinner | dairymaid | fruit-seller | egg-seller | straw-plaiter
        | sausage-seller | onion-seller | pudding-seller | shrimp-seller | scullery-maid | weaver | lavender-seller
        | fortune-teller | cat's-meat woman | carpet-beater | bird-seller | hop-picker | shell-worker""",
    "character": """careful | cheerful | stubborn | sober | anxious | punctual | talkative | thrifty | good-natured
        | solemn | absent-minded | hopeful | suspicious | generous | melancholy | impatient | honest | sleepy | vain
        | forgetful | bashful | plain-spoken | curious | short-sighted | obstinate | proud | gentle | restless |
        poor | learned | dreamy | quarrelsome | pious | ingenious | romantic | untidy | nervous | hungry | amiable |
        musical | merry | shy | brave | idle | busy | tidy | grave | loyal | clever | fussy | gallant | greedy |
        humble | jealous | lazy | lonely | lucky | mild | modest | noisy | patient | polite | quiet | rash |
        sensible | sharp | silent | simple | steady | stern | superstitious | tender | timid | thirsty | truthful |
        unlucky | vague | wary | witty | worthy | blunt | boastful | civil | cool | crafty | dull | eager | faithful
        | fickle | frank | frugal | glum | graceful | hardy | hasty | jovial | keen | kind | meek | nosy | placid |
        prim | prudent | quaint | scrupulous | sly | sour | spry | tactful | trusting | upright | warm | wild | wise
        | zealous""",
    "fond": """oysters | strong tea | long sermons | Italian music | hot pies | gossip | other people's weddings |
        rainy Sundays | roast goose | old maps | gooseberry wine | card games | fireworks | mustard | long words |
        plum cake | the smell of tar | military bands | a good fire | toasted cheese | the theatre | large dogs |
        funerals | barley sugar | moonlight | lawsuits | clean linen | riddles | buttered turnips | brass buttons |
        tall ships | Dutch pictures | early rising | pickled walnuts | church bells | ghost stories | auctions |
        small children | cold mutton | good advice | cheese | snow | whist | bells | herrings | cats | port | puns |
        dancing | sermons | velvet | rice pudding | fog | fresh paint | gardening | sheep | sleeping | proverbs |
        almanacs | Latin | omelettes | Welsh songs | salt beef | sea shanties | candied peel | crossing bridges |
        cold baths | new bread | sugar | wallflowers | comets | bonfires | tobacco | walking sticks | dried fish |
        sums | processions | scandal | nightingales | hats | ale | alum | anchovy toast | ballads |
        bargains | beetles | candlelight | chess | clocks | cowslips | crab apples | cribbage | drums | echoes |
        eels | eggs | ferns | fiddles | figs | gin | gloves | hymns | ices | ivy | jam | jokes | kites | lace |
        lemons | mazes | mice | mint | mud pies | novels | opera | ponds | prunes""",
    "pride": """handwriting | garden | teeth | singing voice | new hat | ancestors | brass knocker | cucumbers |
        left profile | grammar | spelling | wine cellar | pigeons | windows | French | arithmetic | memory |
        doorstep | walnut tree | apple dumplings | signature | silver spoons | laugh | tulips | tea-table | patience
        | barometer | one good chair | marmalade | elder brother | staircase | geraniums | honesty | recipe for
        punch | library of nine books | cousin in Parliament | curled wig | shadow | punctuality | tortoise | hair |
        nose | dog | poems | feet | boots | gout | cat | cheese | name | piety | bees | leeks | stockings | carpet |
        chimney | dancing | drawing of a cow | eyebrows | fence | figs | forks | gate | great-uncle | lamp | lawn |
        Latin | map of Kent | pear tree | pew | plate | quill pens | rabbits | roses | seat at church | shop | soup
        | stairs | thumbs | whistle | wit | umbrella | elbows""",
    "fear": """geese | ghosts | attorneys | draughts | thunder | cows | high places | bishops | spiders | deep water
        | tax collectors | landladies | clever children | cheap candles | black cats | silence | tall horses | wet
        feet | tooth-drawers | fire | poets | green peaches | debt | damp sheets | actors | balloons | bad omens |
        mirrors | sea air | swans | tight shoes | apprentices | owls | night air | boiled cabbage | parrots | empty
        houses | bulls | uncles | moths | fog | mice | dukes | aunts | bees | bells | rats | Latin | ice | eels |
        duns | drums | dogs | crowds | comets | clowns | mud | needles | noise | Tuesdays | oysters | opera |
        puddings | questions | ravens | rust | sailors | salt | sermons | snow | soap | stairs | strangers |
        surgeons | tea | tunnels | velvet | widows | wigs | wolves""",
    "household": """a deaf aunt | two tabby cats | an old spaniel | a widowed mother | a lame jackdaw | one servant
        | a niece of nine | a tame hare | a quantity of clocks | a bad-tempered goose | four goldfinches | a brother
        in the customs | a grandfather of ninety | three lodgers | an apprentice who never spoke | a parrot from
        Jamaica | a pair of twins | a very large bed | nine pots of basil | a tortoise named Cromwell | a cousin who
        wrote verses | a collection of keys | a smoking chimney | a sister who saw ghosts | a barrel of anchovies |
        an uncle just home from sea | a harpsichord out of tune | a great many books | a cat that stole | a sick
        canary | eleven candles | a brass cannon | a globe | a stuffed pike | two aunts | three drums | a Dutch
        stove | a ghost | an echo | a leaking roof | a wasps' nest | one spoon | four clocks | a nervous cook | a
        chest of tea | a talking magpie | a box of letters | six nieces | a great-aunt | a plaster Homer | a bust of
        Caesar | a family of mice | a bass viol | an owl | no curtains | a milk cow | a hoard of candles | a set of
        bagpipes | two Swiss gentlemen""",
    "folk": """milkmaid | waterman | orange-seller | chimney-sweep | parson | constable | coachman | sailor |
        apprentice | ballad-singer | lamplighter | fishwife | footman | pedlar | drover | schoolboy | bishop |
        alderman | soldier | nursemaid | beggar | dustman | widow | lawyer | Quaker | organ-grinder | bill-sticker |
        gentleman | crossing-sweeper | sea captain | town crier | piper | magistrate | midshipman | governess | cook
        | watchman | undertaker | poet | tooth-drawer | baker | butcher | barber | blacksmith | brewer | bride |
        butler | carter | clown | cobbler | colonel | count | cousin | curate | dancer | doctor | duchess | duke |
        Dutchman | earl | farmer | fiddler | fisherman | gardener | ghost | goldsmith | grocer | hatter | hermit |
        huntsman | innkeeper | judge | juggler | knight | landlord | major | miller | monk | nun | painter |
        pickpocket | pirate | printer | professor | puppeteer | smuggler | squire | tailor | tinker | violinist |
        wizard""",
    "looks": """sleepy | red-faced | one-eyed | tall | cheerful | dripping | barefoot | stout | lame | solemn |
        breathless | ragged | whistling | elderly | tipsy | pale | freckled | grumbling | bow-legged | long-nosed |
        toothless | shivering | stately | very small | hoarse | gloomy | hungry | nimble | scowling | weeping |
        round-shouldered | smiling | clumsy | Welsh | Irish | Cornish | angry | bald | bashful | bearded | blushing
        | bored | broad | busy | calm | cross | curious | curtsying | deaf | dignified | drowsy | dusty | fat |
        fierce | foolish | frowning | giggling | grey | haughty | humming | idle | jolly | lanky | laughing |
        limping | lonely | lost | loud | masked | merry | modest | muddy | muttering | old | pious | plump | polite
        | praying | proud | puzzled | running | shy | sighing | silent | singing | smoky | sneezing | Spanish |
        squinting | sunburnt | thin | tired | ugly | weary | wet | wild | yawning | young | Scottish | Dutch""",
    "crowd": """watermen | hackney coachmen | chairmen | orange-sellers | fishwives | apprentices | porters |
        pedlars | milkmaids | lamplighters | sparrows | beggars | schoolboys | carters | ballad-singers |
        shopkeepers | sailors | constables | horses | street dogs | pigeons | booksellers | nursemaids |
        chimney-sweeps | soldiers | bakers | butchers | cats | clerks | cooks | crows | doctors | drummers | farmers
        | fiddlers | gardeners | geese | landladies | lawyers | magistrates | pensioners | parsons | pickpockets |
        poets | printers | swans | tailors | tavern-keepers | washerwomen | weavers""",
    "kin": """aunt | uncle | cousin | grandmother | brother | sister | godfather | mother-in-law | godmother |
        nephew | stepfather | nephew's wife | second cousin | grandfather | great-aunt | brother-in-law | father |
        mother | niece | great-uncle | half-brother | sister-in-law | old nurse | guardian | elder sister | youngest
        brother | twin | aunt's husband | first cousin | foster-brother | great-niece | sister's husband |
        stepmother | tutor | old schoolmaster | step-aunt | father-in-law | godson | foster-mother |
        great-grandmother | brother's widow | bachelor uncle | youngest niece | sister's tutor | half-sister""",
    "colour": """red | black | blue | brown | green | grey | yellow | white | scarlet | purple | pink | buff |
        crimson | violet | russet | orange | mulberry | plum-coloured | silver | snuff-coloured""",
    "garment": """bonnet | coat | cloak | apron | hat | shawl | waistcoat | wig | cap | gown | nightcap | cravat |
        hood | petticoat | scarf | sash | jacket | smock | veil | turban | muffler | ruff | feather | patch |
        nightshirt""",
    # --- places ---
    "place": """Cheapside | the Strand | Fleet Street | Holborn | Drury Lane | Long Acre | Bow Street | Wapping |
        Cornhill | Gracechurch Street | Eastcheap | Piccadilly | Soho Square | St Martin's Lane | Chancery Lane |
        Bishopsgate | Threadneedle Street | Leadenhall Street | Aldgate | Houndsditch | Clerkenwell Green | Hatton
        Garden | Lombard Street | Ludgate Hill | Paternoster Row | Red Lion Square | Southwark | Lambeth | Tooley
        Street | Moorfields | Spitalfields | Whitechapel | Golden Square | Bread Street | Milk Street | Wood Street
        | Shoe Lane | Fetter Lane | Cock Lane | Covent Garden | the Haymarket | Pall Mall | Jermyn Street | Berkeley
        Square | Rotherhithe | Shadwell | Seven Dials | Crutched Friars | Mincing Lane | Pudding Lane | Gough Square
        | Bermondsey | Hanover Square | Water Lane | Mark Lane | Cloth Fair | Smock Alley | Paul's Yard | Ely Place
        | Bunhill Row | Grub Street | Fish Street | Goose Alley | Love Lane | Honey Lane | Lime Street | Coleman
        Street | Basing Lane | Old Change | Garlick Hill | Cannon Street | Thames Street | Botolph Lane | Seething
        Lane | Crooked Lane | Swan Alley | Carey Street | Clare Market | Wych Street | Maiden Lane | Bedford Row |
        Red Cross Street | Jewin Street | Barbican | Long Lane | Saffron Hill | Cow Cross | Turnmill Street |
        Islington | Hoxton | Hackney | Stepney | Limehouse | Poplar | Deptford | Greenwich | Kennington | Vauxhall |
        Chelsea | Kensington | Knightsbridge | Mayfair | Marylebone | Bloomsbury""",
    "landmark": """St Paul's | London Bridge | the Monument | the Tower | Westminster Abbey | Temple Bar | the Royal
        Exchange | Newgate | the Guildhall | Smithfield | Billingsgate | the Custom House | the Mansion House |
        Charing Cross | St James's Park | Lincoln's Inn | the Old Bailey | the Foundling Hospital | Vauxhall Gardens
        | Somerset House | Bow Church | Christ's Hospital | Gray's Inn | Hyde Park Corner | the Bank | Ranelagh |
        Puddle Dock | Execution Dock | Queenhithe | the Savoy | Traitors' Gate | Aldersgate | the Fleet Prison |
        Baynard's Castle | the Steelyard | the Charterhouse | Staple Inn | Ely Chapel | Bedlam | the Navy Office |
        the Horse Guards | the Cockpit | Westminster Hall | Lambeth Palace | the Bear Garden | Bankside |
        Horsleydown | the Mint | the Leaden Hall | the Stocks Market | Fleet Ditch | Primrose Hill | Sadler's Wells
        | the New River Head | the Artillery Ground | Tyburn Tree | Ely House | Furnival's Inn | Clement's Inn | the
        Poultry Compter | the Steel Quay | Wapping Stairs | Old Swan Stairs | Hermitage Dock | Botolph Wharf | the
        Herb Market | the Great Conduit | Pie Corner | the Tilt Yard | Jacob's Island | the Ducking Pond | Cuper's
        Gardens | Holland House | Tothill Fields""",
    "church": """St Bride's | St Clement's | St Giles's | St Martin's | St Olave's | St Dunstan's | St Botolph's |
        St Mary-le-Bow | St Sepulchre's | St Magnus's | St Andrew's | St Helen's | St Swithin's | St Anne's | St
        Bartholomew's | St Saviour's | St Alban's | St Alphage's | St Benet's | St Dionis's | St Edmund's | St
        Ethelburga's | St Faith's | St George's | St Katherine's | St Leonard's | St Luke's | St Margaret's | St
        Michael's | St Mildred's | St Nicholas's | St Pancras's | St Peter's | St Stephen's | St Vedast's | All
        Hallows""",
    "tavern_a": """Blue | Red | Golden | Old | White | Merry | Black | Crooked | Green | Silent | Gilded | Running |
        Flying | Sleeping | Laughing | Spotted | Royal | Wooden | Silver | Dancing | Three-Legged | Bald | Blind |
        Brass | Bright | Broken | Cheerful | Drunken | Grey | Happy | Hungry | Iron | Jolly | Lame | Lost | Noble |
        Painted | Proud | Purple | Quiet | Rampant | Singing | Wandering | Weeping | Yellow""",
    "tavern_n": """Boar | Anchor | Swan | Pump | Bell | Lion | Dolphin | Herring | Pelican | Star | Cock | Mermaid |
        Hare | Barrel | Otter | Lamb | Rose | Magpie | Sexton | Bear | Ship | Parrot | Kettle | Goose | Angel |
        Antelope | Bishop | Bottle | Castle | Cat | Crown | Cup | Drum | Duchess | Eagle | Fiddle | Fish | Fox |
        Griffin | Hat | Hen | Horse | Key | King | Monk | Moon | Owl | Ox | Pig | Pot | Raven | Salmon | Sun | Tiger
        | Unicorn | Whale | Wheel | Windmill""",
    "town": """Bath | Bristol | Norwich | York | Dover | Exeter | Oxford | Canterbury | Harwich | Lincoln |
        Colchester | Portsmouth | Plymouth | Salisbury | Winchester | Ipswich | Reading | Deal | Chester | Durham |
        Worcester | Leeds | Hull | Cambridge | Margate | Lisbon | Amsterdam | Edinburgh | Dublin | Yarmouth | Derby
        | Dorking | Ely | Epsom | Falmouth | Gloucester | Hereford | Hythe | Kendal | Kew | Lewes | Ludlow | Luton |
        Lyme | Poole | Rye | Stamford | Truro | Wells | Whitby | Paris | Leyden | Cadiz | Jamaica | Boston | Windsor
        | Barnet | Dorset | Kent | Naples""",
    # --- things ---
    "thing": """teapot | umbrella | clock | fiddle | birdcage | looking-glass | wig-box | snuff-box | lantern |
        warming-pan | candlestick | barometer | telescope | trunk | globe | ladle | fish-kettle | music-box |
        hat-box | drum | punch-bowl | coffee-mill | walking-stick | footstool | portrait | cradle | chessboard |
        hourglass | mousetrap | toasting-fork | flute | saddle | waistcoat | cushion | tea-tray | sundial | milk-jug
        | pepper-pot | rocking-horse | cannon-ball | feather bed | weathercock | wheelbarrow | inkstand | anvil |
        axe | barrel | basin | basket | bed | bell | bonnet | boot | bottle | bowl | box | broom | brush | bucket |
        cage | candle | cane | cap | carpet | chair | cloak | coat | comb | crown | cup | curtain | desk | dish |
        door | fan | flag | fork | gown | gun | hammer | harp | hat | hook | horn | jar | jug | kettle | key | kite
        | lamp | loaf | map | mask | mirror | mop | mug | oar | organ | parasol | pen | pie | pipe | pistol | plate
        | pot | pump | purse | quilt | rake | ring | rope | rug | sack | saw | sermon | shawl | shoe | sofa | spade
        | spoon | stool | sword | table | tent | trumpet | urn | vase | whip | whistle | wig | window""",
    "thing_a": """cracked | handsome | painted | second-hand | heavy | gilded | Chinese | enormous | crooked | old |
        blue | Dutch | ancient | polished | dented | curious | striped | borrowed | tiny | ugly | French | green |
        broken | elegant | battered | expensive | crimson | ingenious | respectable | dusty | celebrated | faded |
        spotted | unlucky | Portuguese | brown | remarkable | lopsided | yellow | shabby | bent | big | black |
        bright | cheap | clean | cold | costly | damp | dark | deep | dry | dull | empty | famous | fine | flat |
        fragrant | funny | good | grand | grey | hideous | hollow | huge | Indian | Irish | iron | large | light |
        little | long | mouldy | neat | new | noble | odd | orange | patched | pink | plain | pretty | purple | rare
        | red | round | Russian | scratched | secret | short | silver | Spanish | splendid | square | sticky |
        strange | thick | thin | tin | torn | Turkish | twisted | useful | useless | vast | Venetian | violet | wet
        | white | wide | wooden | worm-eaten | frayed | glittering | home-made | laced | lucky | oily | oval |
        powdered | royal | rustic | scorched | shining | smelly | tattered | varnished""",
    "furniture": """table | bed | staircase | dresser | pulpit | cart | bench | sofa | counter | market stall |
        bookcase | pianoforte | sedan chair | cupboard | doorstep | wheelbarrow | haystack | great chair |
        water-butt | coach | altar | barrow | bath | clock-case | cradle | gate | harpsichord | hedge | ladder |
        lamp-post | pew | piano | pillory | pump | rowing-boat | sack | screen | statue | stove | tent | tombstone |
        tree | wagon | washtub | wood-pile | writing-desk""",
    "food": """oranges | oysters | chestnuts | muffins | apples | gingerbread men | pears | buns | pies | walnuts |
        herrings | sausages | plums | turnips | pancakes | radishes | eels | shrimps | lemons | tarts | dumplings |
        crumpets | pickles | onions | sprats | cheesecakes | figs | potatoes | eggs | whelks | anchovies | apricots
        | beans | biscuits | cakes | cherries | cockles | cucumbers | currants | dates | ducks' eggs | flounders |
        grapes | hams | kidneys | lobsters | marrows | melons | mushrooms | mussels | nuts | olives | parsnips |
        partridges | peaches | peas | pigeons | pineapples | puddings | quinces | rolls | scones | snails | soles |
        strawberries | sugarplums | toffee apples | tripe puddings | wafers | waffles""",
    "food_a": """hot | cold | stale | small | fresh | excellent | doubtful | enormous | cheap | burnt | handsome |
        wrinkled | dear | famous | perfect | soft | bitter | remarkable | big | blue | brown | buttered | damp | dry
        | dusty | foreign | funny | good | green | hard | large | mouldy | new | nice | old | peppered | pickled |
        plain | plump | raw | ripe | rotten | round | salty | sour | Spanish | spiced | sticky | strange | sugared |
        sweet | tough | warm | wet | white | yellow""",
    "dish": """roast goose | boiled mutton | pigeon pie | turtle soup | pickled salmon | oyster pudding | jugged
        hare | cold beef | plum pudding | apple tart | calf's-head pie | roast duck | pease pudding | gooseberry
        fool | gingerbread | buttered crab | baked custard | boiled fowl | syllabub | Stilton cheese | beef tea |
        bread sauce | fish soup | fried tripe | hot pudding | mutton stew | ox tongue | pea soup | quince jelly |
        roast lark | roast pork | rum cake | salt cod | suet pudding | toasted cheese | venison | white fish |
        whitebait | spiced beef | cold tongue | eel pie | hare soup | roast swan | boiled ham | minced veal |
        cow-heel jelly | lark pie | lobster salad | nettle soup | bacon pudding | hashed mutton | rook pie | treacle
        tart | tripe stew | lemon cream | almond cake""",
    "drink": """punch | small beer | port | Madeira | strong tea | porter | gin and water | cider | hot chocolate |
        claret | mulled ale | coffee | elderberry wine | barley water | brandy | perry | sherry | rum | milk | sack
        | whey | green tea | ginger beer | cowslip wine | mead | plum brandy | hot water | spruce beer | barley wine
        | birch wine | buttermilk | hot lemonade | iced milk | lemon shrub | orange wine | pear brandy | raisin wine
        | sage tea | spiced ale | strong ale""",
    "beast_n": """dog | cat | goose | pig | horse | donkey | monkey | goat | hen | parrot | jackdaw | spaniel | calf
        | mastiff | turkey | ram | duck | hare | raven | peacock | bear | bull | swan | mule | badger | camel | cow
        | crow | elephant | fox | frog | greyhound | hedgehog | heron | kitten | lamb | lion | lizard | magpie |
        mouse | otter | owl | ox | pony | puppy | rabbit | rat | sheep | snake | squirrel | terrier | tiger | toad |
        zebra""",
    "beast_a": """spotted | black | fat | lean | white | elderly | tame | disobedient | enormous | yellow | greedy |
        three-legged | muddy | dignified | nervous | handsome | wandering | ill-tempered | clever | ginger | noisy |
        one-eared | well-fed | very small | amiable | angry | barking | blind | bold | brown | cross | damp | deaf |
        drowsy | foreign | frisky | gentle | grey | hungry | idle | jealous | lame | large | lazy | learned | little
        | lonely | long | mad | melancholy | old | pious | plump | proud | red | restless | ridiculous | shaggy |
        shy | sleepy | small | stolen | striped | stubborn | stuffed | swift | thin | timid | tired | ugly | wet |
        wicked | wild | young""",
    "instrument": """fiddle | flute | hurdy-gurdy | harp | drum | French horn | guitar | trumpet | bagpipe | bassoon
        | tin whistle | harpsichord | spinet | barrel organ | lute | oboe | cello | mandolin | clarinet | fife |
        viola | church organ | cornet | jew's harp | dulcimer | set of bells | pair of spoons | bugle""",
    "ware": """lace | tobacco | pepper | calico | nutmegs | ribbon | tallow | indigo | tea | Welsh flannel | sugar |
        brass wire | feathers | India muslin | gunpowder | snuff | sealing-wax | hemp | cinnamon | parchment |
        Spanish leather | coals | wool | silk | rope | soap | salt | rice | mustard | glue | candles | cotton |
        cloves | chalk | camphor | coffee | copper | cork | dust | flax | flour | garlic | ginger | glass | hay |
        honey | ink | leather | lead | lavender | oil | paper | pitch | rum | saffron | sawdust | tar | tin |
        turpentine | varnish | vinegar | wax""",
    # --- manner ---
    "verb_said": """said | cried | answered | replied | remarked | declared | observed | returned | murmured |
        exclaimed | whispered | protested | sighed | announced | argued | began | boasted | complained | confessed |
        grumbled | insisted | laughed | muttered | shouted | snapped | stammered | suggested | whimpered""",
    "verb_asked": """asked | inquired | demanded | wondered | shouted | murmured | ventured | cried | croaked | sang
        out | sighed | stammered | whimpered | roared | mumbled""",
    "manner": """gravely | warmly | at once | in a low voice | with a bow | with dignity | after a pause | sadly |
        mildly | with great firmness | through a mouthful of bread | very quickly | with a sigh | in alarm |
        politely | in triumph | without looking up | from behind a handkerchief | coldly | with a laugh | rather too
        loudly | between two sneezes | in the tone of a judge | blushing a little | bitterly | bravely | briskly |
        calmly | carefully | cheerfully | curtly | dreamily | drily | eagerly | faintly | fiercely | firmly | gently
        | gloomily | happily | hastily | hoarsely | kindly | loudly | meekly | nervously | proudly | quietly | shyly
        | simply | slowly | softly | solemnly | sourly | sternly | stiffly | sweetly | thickly | timidly | wearily |
        wisely""",
    "oath": """Upon my word | Bless my soul | Good heavens | Mercy on us | Dear me | On my honour | Lord save us |
        Confound it | By all the bells of London | Stars and garters | Heaven help us | Well, well | Fie | As I live
        | Alas | I declare | Faith | Truly | Indeed | Hush | Ah | Marry | Fiddlesticks | Nonsense | Forgive me | By
        my wig | Saints alive | To be sure | Come, come | Never fear | On the contrary | Patience | Bless you | By
        my grandmother's teapot | Hark | I confess | Good gracious | Peace | No, no | Pray""",
    "went": """walked | hurried | strolled | trudged | went | marched | ran | limped | wandered | made {A.his} way |
        rode | tramped | stepped out | drove | crept | danced | drifted | fled | galloped | hastened | hobbled |
        hopped | jogged | journeyed  | paced | pressed on | rushed | sauntered | shuffled | skipped |
        splashed | stalked | strode | stumbled | tiptoed | travelled | wended {A.his} way""",
    "met": """met | came upon | ran straight into | was stopped by | fell in with | was hailed by | saw | bowed to |
        nearly fell over | was overtaken by | collided with | recognised | was greeted by | stumbled upon | noticed
        | encountered | was joined by | was splashed by | overheard | all but trod upon | bumped into | chanced upon
        | found | ran into | sat down beside | spied | tripped over | waved to""",
    "number": """two | three | four | five | six | seven | eight | nine | ten | eleven | twelve | fourteen | fifteen
        | twenty | thirty | forty | fifty | thirteen | sixteen | seventeen | eighteen | nineteen | sixty | seventy |
        eighty | ninety""",
    "hour": """one | two | three | four | five | six | seven | eight | nine | ten | eleven | noon | midnight | half
        past one | half past two | half past three | half past four | half past five | half past six | half past
        seven | half past eight | half past nine | a quarter to ten | a quarter to five | a quarter to six""",
    "feeling": """delighted | vexed | astonished | perplexed | ashamed | alarmed | touched | disappointed | amused |
        uneasy | mortified | resigned | relieved | jealous | dumbfounded | comforted | thoughtful | offended | angry
        | anxious | bewildered | calm | charmed | content | cross | dismayed | embarrassed | envious | flattered |
        gloomy | grateful | happy | hungry | hurt | impressed | indignant | merry | miserable | nervous | pleased |
        proud | puzzled | sad | shocked | silent | sorry | speechless | tearful | triumphant | unmoved | weary |
        aghast | at peace | cheered | crestfallen | curious | frightened | furious | glad | grave | inspired |
        lonely | lost | quiet | satisfied | scandalised | shaken | sleepy | soothed | stunned | sulky | tired |
        vindicated""",
    # --- the year ---
    "month_winter": "January | December | February",
    "month_spring": "April | May | March",
    "month_summer": "June | July | August",
    "month_autumn": "October | September | November",
    "day_a_winter": """bitter | snowy | dark | frosty | foggy | icy | raw | gloomy | windless | short | freezing |
        bleak | black | cold | dim | dismal | frozen | grey | hard | hushed | leaden | murky | numb | pinched |
        sharp | sleety | sooty | still | white""",
    "day_a_spring": """mild | showery | bright | blowing | soft | fresh | wet | uncertain | green | rosy | gusty |
        pale | sweet | blossoming | breezy | brisk | budding | clear | cool | dewy | early | fickle | fitful |
        glittering | green-leaved | hopeful | light | merry | rainy | silver""",
    "day_a_summer": """hot | close | dusty | golden | thundery | dry | sultry | cloudless | long | airless | drowsy
        | blazing | pleasant | baking | brassy | breathless | burning | calm | cloying | fiery | glaring | heavy |
        languid | lazy | parched | ripe | scorching | stifling | sunny | warm""",
    "day_a_autumn": """misty | wet | windy | yellow | stormy | smoky | dull | drizzling | russet | damp | grey |
        chilly | quiet | blustering | brown | clouded | cold | dark | dim | dripping | fading | fog-bound | gusty |
        late | melancholy | mellow | moonlit | ragged | rough""",
    "part_of_day": "morning | evening | afternoon | day | night",
    "sky_winter": """snow | fog | frost | wind | sleet | twilight | hail | silence | mist | gale | blizzard | moon |
        cloud | drizzle | gloom | darkness | dusk | thaw | ice-storm | stillness""",
    "skyset_winter": """the smoke of the chimneys | a powder of soot and snow | a smell of sea-coal | the first snow
        | the north wind | a ring of ice | a flurry of hail | a breath of pine""",
    "sky_spring": """rain | sun | rainbow | breeze | mist | cloud | shower | frost | moon | haze | dew | dawn |
        light | drizzle | thunder-clap | squall | wind | warmth | freshness | spray""",
    "skyset_spring": """a smell of wet gardens | a smell of lilac | a noise of rooks | a burst of sunshine | a cloud
        of swallows | a dance of gnats | a scent of violets | the song of thrushes | the first warmth""",
    "sky_summer": """heat | haze | sun | sky | storm | dust | stillness | fog | moon | glare | wind | dawn | dusk |
        thunder | mist | silence | air | calm | light | drought""",
    "skyset_summer": """a smell of hay | a cloud of flies | a smell of tar and melons | a swarm of bees | a breath
        of roses | a flight of swifts | a reek of fish | a veil of gnats""",
    "sky_autumn": """drizzle | mist | rain | gale | sun | fog | moon | dusk | damp | cloud | wind | squall |
        twilight | gloom | haze | frost | storm | vapour | chill | sunset""",
    "skyset_autumn": """a smell of bonfires | a shower of leaves | the smoke of a hundred hearths | a rag of fog | a
        flight of geese | a flock of starlings | a smell of apples | a smell of wet straw""",
    "sky_a": """thin | yellow | heavy | bitter | brown | soft | white | grey | black | blue | copper | golden | red
        | wild | cold | damp | sweet | smoky | silver | pale | dim | deep | sudden | low | ragged | bright | faint |
        watery | sullen | steady | gentle | lazy | drowsy | sooty | silent | dismal | solemn | green | violet |
        strange | vast | slow | sickly | purple | fitful | tender | mournful | shining | dirty | delicate""",
    "sky_did": """hung over | lay upon | crept along | had settled on | filled | drifted across | had come down over
        | came and went about | was spread above | had taken possession of | wrapped itself round | lingered near |
        clung to | blotted out | rolled over | softened | lit up | brooded over | passed over | sank upon | trembled
        above | rose over | wandered about | blessed | besieged | cooled | crowned | gilded | haunted | leaned upon
        | muffled | rolled past | shook | slid off | surprised | swallowed | troubled | veiled | visited""",
    "crowd_did_winter": """stamped their feet | blew upon their fingers | slid upon the ice | drank hot ale | walked
        like ghosts | begged for straw and coals | crowded round the chestnut stoves | coughed in chorus | skated on
        the ponds | wore sacks upon their shoulders | hid their noses | danced to keep warm | threw snowballs |
        spoke of thaw | burned old chairs | fell down in rows | hurried home | carried hot potatoes | lost their
        voices | wrapped themselves in straw""",
    "crowd_did_spring": """put off their winter coats | whistled for no reason | splashed one another | quarrelled
        over primroses | fell in love | looked twice at every bonnet | sang out of tune | lost their hats | talked
        of the country | sneezed at the blossom | aired their blankets | bought violets | forgot their errands |
        leaned out of windows | made wagers on the rain | mended their kites | painted their doors | rolled up their
        sleeves | smiled at strangers | wrote verses""",
    "crowd_did_summer": """slept in the shade | quarrelled about nothing | fanned themselves with newspapers |
        bathed in the river | longed for rain | drank from the pumps | sat upon the steps | spoke of plague and
        lemonade | took off their shoes | chased the flies | ate ices | dozed upon barrels | fought with wet towels
        | grew pale and thirsty | lay down in the road | lived upon cucumbers | prayed for thunder | shut their
        windows | swam at night | yawned in chorus""",
    "crowd_did_autumn": """turned up their collars | kicked through the leaves | cursed the mud | spoke of the price
        of coals | held on to their hats | splashed through the gutters | sheltered in doorways | lit their lanterns
        early | roasted apples | expected a flood | burned their rubbish | chased their hats | counted their candles
        | complained of their knees | drank cider | patched their boots | quarrelled over umbrellas | sneezed in
        turn | stared at the sky | stayed indoors""",
    "festival_winter": """Twelfth Night | Christmas Day | Candlemas Day | New Year's Day | Shrove Tuesday | Plough
        Monday | St Stephen's Day | Ash Wednesday | Christmas Eve | St Valentine's Day | Innocents' Day | St Agnes'
        Eve""",
    "festival_spring": """Easter Monday | May Day | Lady Day | Palm Sunday | Whit Monday | All Fools' Day | Good
        Friday | St George's Day | St David's Day | Ascension Day | Oak Apple Day | Low Sunday""",
    "festival_summer": """Midsummer Day | Lammas Day | St Swithin's Day | Trinity Sunday | St Bartholomew's Day |
        Midsummer Eve | St James's Day | St Barnabas' Day | St Peter's Day | Coronation Day | Regatta Day | St
        Lawrence's Day""",
    "festival_autumn": """Michaelmas Day | Lord Mayor's Day | Guy Fawkes Night | Martinmas Day | All Hallows' Eve |
        St Crispin's Day | St Andrew's Day | St Cecilia's Day | All Souls' Day | Holy Cross Day | St Luke's Day |
        Advent Sunday""",
    # --- time ---
    "duration": """half an hour | a fortnight | a whole week | a month | the better part of an hour | an hour by the
        church clock | a year and a day | a long while | a day | a night | an evening | {number} years | {number}
        minutes | {number} days | most of a winter | a summer""",
    "when": """the next morning | that same evening | towards dusk | after supper | within the hour | a week later |
        on the third day | at sunset | at dawn | after a while | at noon | after church | on the stroke of {hour} |
        that night | when it was nearly dark | some {number} minutes later | on {festival@season} | after {duration}
        | before breakfast | in the small hours | on the Sunday following | the day after that | as {church} struck
        {hour} | at {hour} exactly | on the {day_number} of the month | in the first week of {month@season} | at low
        tide | at high tide | at tea-time | the same {part_of_day} | at moonrise | when {who} had gone | when the
        {instrument} stopped | after {number} {food} | between two showers""",
    # --- deeds: past participles that take an object, used after "has" or "had" ---
    "deed": """pawned | bought | sat upon | lost | inherited | painted | stolen | mended | sold | swallowed | buried
        | insulted | fallen over | wept over | preached upon | danced with | hidden | gone to law over | slept
        beside | fallen in love with | been frightened by | quarrelled with | written verses to | taken a house for
        | boiled | thrown stones at | made a will in favour of | gone to sea with | dreamed of | admired | bitten |
        blessed | borrowed | broken | burnt | carved | copied | cursed | decorated | dropped | drawn | eaten |
        embraced | guarded | kicked | kissed | knitted | measured | melted | named | polished | praised | prayed for
        | read aloud to | rescued | ruined | serenaded | shaved | shot at | sketched | smuggled | spoiled | sung to
        | tickled | tripped over | washed | weighed | whitewashed""",
    "ship": """Perseverance | Good Intent | Charming Sally | Hopewell | Three Sisters | Patience | Thunderer |
        Prudent Anne | Industry | Minerva | Sea Nymph | Resolve | Young William | Fair Exchange | Albion | Comet |
        Dauntless | Dolphin | Endeavour's Rest | Fancy | Gannet | Hannah | Jolly Tar | Kestrel | Lively | Mercury |
        Nancy | Otter | Petrel | Quiet Anne | Reward | Success | Triton | Union | Wren | Adventure | Beaver | Cygnet
        | Delight""",
    "trick": """dance a hornpipe | smoke a pipe | walk upright | ring a bell | say grace | fetch a hat | bow to
        ladies | count to nine | play dead | carry a lantern | wear spectacles | keep time to the drum | beg for
        pennies | climb a ladder | bark in tune | catch pennies | climb stairs | draw a cart | eat with a fork
        | fire a pistol | hum | jump a gate | play whist | pull a sledge | salute | shake hands | sing bass | sit in
        a chair | spell its name | steal eggs | swim | tell the time | waltz | wink""",
    "wonder": """learned pig | fire-eater | giant | mechanical swan | rope-dancer | fortune-teller | bearded lady |
        sword-swallower | calculating horse | singing bear | glass ship | waxwork king | flea coach | balloon |
        speaking clock | mermaid in a jar | puppet opera | counterfeit ghost | strong woman | invisible harp |
        acrobat | angel made of glass | choir of cats | conjuror | dwarf elephant | family of fleas | giantess |
        juggler | knife-thrower | lion-tamer | magic lantern | man of straw | musical ass | paper palace | petrified
        trout | silver nightingale | talking fish | tightrope goat | tattooed sailor | two-headed calf | wire-walker""",
    "quality": """patience | courage | good sense | arithmetic | charity | music | thrift | honesty | punctuality |
        appetite | dignity | good luck | conversation | silence | industry | friendship | prudence | matrimony |
        ambition | beauty | caution | comfort | common sense | cunning | discretion | faith | fame | fortune |
        genius | grammar | gratitude | harmony | hope | humility | humour | learning | leisure | logic | love |
        loyalty | manners | mercy | mischief | modesty | nobility | order | peace | philosophy | piety | pleasure |
        poetry | pride | profit | reason | repentance | romance | sense | truth | valour | vanity | virtue | wisdom
        | candour | cleverness | constancy | delicacy | devotion | elegance | eloquence | envy | frugality |
        gallantry | glory | grace | hunger | idleness | justice | kindness | luck | malice | method | mirth | nerve
        | novelty | panache | polish | quiet | reserve | rest | skill | sleep | spite | style | tact | taste |
        temper | thirst | time | tenderness | whimsy | wit | zeal""",
}


def _numbers(first: int, last: int, ordinal: bool = False) -> str:
    """The years or days from `first` to `last` as a table."""
    endings = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}
    return " | ".join(f"{n}{endings.get(n, 'th') if ordinal else ''}" for n in range(first, last + 1))


def _person(who: str, home: str) -> dict[str, str]:
    """The tables that introduce person `who` (`A` or `B`), whose street is kept in the register `home`.

    The two persons of a scene are a man and a woman, so that every pronoun has one meaning.
    """
    other = "B" if who == "A" else "A"
    full_m = f"{{{who}.first:=first_m}} {{{who}.sur:=surname!{other}.sur}}"
    full_f = f"{{{who}.first:=first_f}} {{{who}.sur:=surname!{other}.sur}}"
    of, lodging = f"of {{{home}:=place!street}}", f"<from|who lodged in|of> {{{home}:=place!street}}"

    def titled(title: str) -> str:
        return f"{{{who}={title} %{who}.sur}}"

    def trade(table: str) -> str:
        return f"{{a}}<|{{character}} >{{{who}.trade:={table}}}"

    return {
        f"intro_{who}_m": f"""
            5* {{{who}.g=m}}Mr {full_m}{titled("Mr")}, {trade("trade_m")} {of}
            | 3* {{{who}.g=m}}{full_m}{{{who}=%{who}.first}}, {trade("humble_m")} {lodging}
            | {{{who}.g=m}}Captain {full_m}{titled("Captain")}{{{who}.trade=captain}}, <late|once|formerly> of the
              {{ship}} and now {of}
            | {{{who}.g=m}}Dr {full_m}{titled("Dr")}{{{who}.trade=doctor}}, {{a}}{{character}} physician {of}
            """,
        f"intro_{who}_f": f"""
            3* {{{who}.g=f}}Mrs {full_f}{titled("Mrs")}, {trade("trade_f")} {of}
            | 2* {{{who}.g=f}}Miss {full_f}{titled("Miss")}, {trade("trade_f")} {of}
            | 3* {{{who}.g=f}}{full_f}{{{who}=%{who}.first}}, {trade("humble_f")} {lodging}
            | {{{who}.g=f}}Lady {full_f}{titled("Lady")}{{{who}.trade=lady}}, {{a}}{{character}} widow {of}
            """,
        # What a person says is followed by one of these.
        f"tag_{who}": f"""
            2* {{verb_said}} {{{who}}}{{mannered}} | 2* {{verb_said}} {{{who}.he}}{{mannered}}
            | {{verb_said}} the {{{who}.trade}}{{mannered}}
            """,
    }


PHRASES: dict[str, str] = {
    **_person("A", "street"),
    **_person("B", "B.home"),
    "year_number": _numbers(1742, 1829),
    "day_number": _numbers(1, 28, ordinal=True),
    # --- the whole; the decision to go on is made after each paragraph, and within one after each sentence ---
    "document": """
        {season=winter}{opening}{after_opening} | {season=spring}{opening}{after_opening}
        | {season=summer}{opening}{after_opening} | {season=autumn}{opening}{after_opening}
        """,
    "after_opening": "15* {par}{setup}{after_setup} | 1*",
    "after_setup": "4* {par}{talk@plot}{more}{after_talk} | 1*",
    "after_talk": "2* {par}{turn@plot}{more}{after_turn} | 1*",
    "after_turn": "{par}{end@plot}{more}{after_end} | 1*",
    "after_end": "{par}{coda} | 2*",
    "more": "9* {sp}{aside}{more_yet} | 10*",
    "more_yet": "{sp}{aside} | 2*",
    "setup": """
        {plot=lost}{setup_lost}{more} | {plot=sale}{setup_sale}{more} | {plot=wager}{setup_wager}{more}
        | {plot=letter}{setup_letter}{more} | {plot=beast}{setup_beast}{more} | {plot=dinner}{setup_dinner}{more}
        | {plot=debt}{setup_debt}{more} | {plot=show}{setup_show}{more} | {plot=court}{setup_court}{more}
        """,
    # --- small phrases ---
    "np": """
        6* {a}{thing_a} {thing} | {a}{thing_a} {thing} from {town} | {a}{thing_a} {thing} full of {ware}
        | {a}{garment} trimmed with {ware}
        """,
    "who": """
        8* {a}{looks} {folk} | {a}{looks} {folk} from {town} | 2* {a}{looks} {folk} in {a}{colour} {garment}
        | {a}{folk} named {surname}
        """,
    "pet": """
        6* {a}{beast_a} {beast_n} | {a}{beast_a} {beast_n} from {town}
        | {a}{beast_a} {beast_n} in {a}{colour} {garment}
        """,
    "mannered": "2* {sp}{manner} | 1*",
    "sky": "3* {a}{sky_a} {sky@season} | {skyset@season}",
    "people": "{crowd} | {looks} {crowd}",
    "tavern": "the {tavern_a} {tavern_n}",
    "some": "{number} <|{food_a} >{food}",
    "goods": """
        {number} <barrels|pounds|bales|crates|boxes|sacks> of {ware}
        """,
    "price": """
        9* {number} <shillings|guineas|pounds|crowns|farthings> | half a crown | a guinea
        | {number} pounds <five|seven|eight|ten|twelve|fifteen> | {number} and <sixpence|ninepence|fourpence>
        | half a guinea and {some}
        """,
    "spot": """
        3* <in|near> {place}
        | 2* <behind|beside|within sight of|opposite> {landmark}
        | 2* <outside|behind|at the back of|in the cellar of|on the roof of> {tavern}
        | <at the door of|under the clock of|in the churchyard of> {church}
        """,
    "next": """
        8* {when} | presently | at that moment | before long | soon afterwards | an instant later | at last
        | just then | before anyone could speak
        """,
    "hide": """
        <under|behind|beneath|beside|on top of> {a}{thing_a} {furniture}
        """,
    "great": """
        the Lord Mayor | the <Duke|Dean|Mayor|Bishop> of {town} | the widow {surname} | old {surname} of {place}
        | the French ambassador | half of {place} | the whole parish of {church} | the {folk} at {tavern}
        | {a}{folk} of my acquaintance | my {kin}
        """,
    # A person already known: by name, pronoun or trade.
    "ref_A": "2* {A} | 2* {A.he} | the {A.trade}",
    "ref_B": "2* {B} | 2* {B.he} | the {B.trade}",
    "busy": """
        counting {some} | mending {np} | arguing with {who} | waiting for {who} | eating {some}
        | drinking {drink} with {who} | looking for {pet} | wrapping {np} in {ware} | bargaining for {goods}
        | feeding {some} to {pet} | reading a letter from {town} | teaching {pet} to {trick}
        | selling {food_a} {food} to {who} | trying to sell {pet} to {who} | playing the {instrument} to {pet}
        | asking {who} the way to {place}
        """,
    "errand": """
        in search of {np} | to buy {some} | to quarrel with {who} | to see about {goods} | with {np} and {some}
        | to dine with {who} | to fetch {np} for {A.his} {kin} | on an errand for {who} | for want of {quality}
        | to hear {who} play the {instrument} | to exchange {pet} for {np} | with {pet} and {who}
        """,
    "infinitive": """
        lend {np} to {who} | dine with {who} | own {pet} | owe {price} | walk to {town} | argue with {who}
        | sleep {hide} | live on {food_a} {food} | marry {who} | be bitten by {pet} | drink {drink} with {who}
        | carry {np} to {town} | be thought {character} | sell {food} in {place} | play the {instrument} to {who}
        | have {fond} without {quality} | fear {fear} | teach {pet} to {trick}
        """,
    "felt": "2* was {feeling} | was {feeling} and {feeling} | <looked|grew|felt|seemed> {feeling}",
    "aftermath": """
        stopped to {infinitive} | fell over {pet} | lost {np} and {quality} | was bitten by {pet}
        | forgot the time with {who} | wept {hide} | was asked by {who} to {infinitive}
        """,
    "opinion": """
        {character} | too {character} | neither {character} nor {character} | {character} but {character}
        | as {character} as {a}{folk}
        """,
    # --- the opening paragraph ---
    "opening": """
        {begin} <{weather} {nature}|{history} {weather}|{nature} {history}>{more}
        """,
    "intro_A": "{intro_A_m} | {intro_A_f}",
    "intro_B": "{meeting@A.g}",
    "meeting_m": "{intro_B_f}",
    "meeting_f": "{intro_B_m}",
    "year": "{year:=year_number}",
    "begin": """
        2* On the {day_number} of {month@season} {year}, {intro_A}, {set_out}.
        | 2* One {day_a@season} {part_of_day} in {month@season} {year}, {intro_A}, {set_out}.
        | In the {season} of {year}, <a little before|a week before|soon after|just after> {festival@season},
          {intro_A}, {set_out}.
        | It was {a}{day_a@season} {part_of_day} in {month@season} {year}, and {sky} {sky_did} {landmark}.
          {^}{intro_A}, {set_out}.
        | {^}{intro_A}, {set_out} one {day_a@season} {part_of_day} in {month@season} {year}.
        | On {festival@season} in {year}, while the {people} {crowd_did@season}, {intro_A}, {set_out}.
        """,
    "set_out": """
        3* {went} from {landmark} to {place!street} {errand}
        | 2* <set out for|started for|was on the way to|was bound for|took a boat to> {place!street} {errand}
        | 2* {went} past {landmark} {errand}
        | stood <outside|before|behind> {tavern}, {busy}
        | was {busy}
        | left {tavern} {errand}
        """,
    "weather": """
        {^}{sky} {sky_did} {landmark}, and <in|all along|all about|everywhere in|on every step of> {place} the
        {people} {crowd_did@season}.
        | The {people} {crowd_did@season}, the {people} {crowd_did@season}, and even {who}
          <was seen to|had begun to|would sometimes|was ready to> {do}.
        | <Nobody|No {folk}|Hardly {a}{folk}> in {place} <could remember|had seen|could recall> so {day_a@season}
          {a}{part_of_day}, and {sky} {sky_did} {landmark}.
        | The <bells|clock|bell|ringers> of {church} <struck|sounded|gave out|had just rung> {hour}, and {sky}
          {sky_did} <the river|the roofs of {place}|{landmark}>.
        | <Near|Beyond|Behind> {landmark} {sky} {sky_did} {place}, where {who} was {busy}.
        """,
    "do": """
        smile | weep | pray | run | dance | blush | shiver | hesitate | sing | sneeze | swear | yawn | laugh | hop
        | frown | bow | kneel | whistle | trot | snore | cough | tremble | wink | stammer
        """,
    "nature": """
        2* {^}{ref_A} was {a}<|{character}, >{character} {A.man}, <fond of|partial to|devoted to|famous for> {fond},
        <proud of|vain of|careful of|silent about> {A.his} {pride} and <afraid|ashamed|in dread|suspicious> of
        {fear}.
        | 2* {^}{A.he} <lodged|lived|kept house|slept> <over|behind|next door to|opposite|under> {tavern} with
          {household} and {pet}.
        | <Nobody|No {folk}> in {street} was <so|half so> {character} as {ref_A}, <and|though> {who}
          <knew|thought|talked|cared> more about {fond}.
        | {^}{ref_A} loved {fond} <better than|as much as|almost as dearly as|rather less than>
          <{A.his} {kin}|{quality}>, but {A.he} <could not|would never> <endure|abide|forgive|understand> {fear}.
        | <Some|Most|A few> thought {A.him} {character} and {who} thought {A.him} {character}; {A.his} {kin}
          <thought only of|preferred|spoke only of> {fond}.
        """,
    "history": """
        <It was said|They said|It was known|There was a story> <in|all over|as far as> {place} that {A.he} had
        <once|twice|lately|never> {deed} {np} {spot}.
        | {^}{A.his} {kin}, <who lived in|late of|then at> {town}, had <left|sent|promised> {A.him} {np}, {some} and
          <the care of|a share in|the use of> {pet}.
        | {^}{A.he} <owed|had lent|had promised> {price} to {who} and {price} to {A.his} {kin}, and
          <drank|dreamed of|preferred|paid both in> {drink}.
        | For {number} years {A.he} had kept {pet} and {np} in <one room|the garret|a cupboard|the kitchen>, and
          <had found|looked for> {quality} in both.
        | {^}{A.he} had {h1:=household}, {household!h1} and {np}, and
          <wanted nothing but|prayed nightly for|had no need of|often spoke of|boasted of> {quality}.
        | {^}{who} {spot} had <warned {A.him} against|cautioned {A.him} about|sworn to save {A.him} from> {fear},
          {fear} and {who}.
        """,
    # --- what may be seen in any paragraph ---
    "aside": """
        {^}{who} <went by|came along|passed|hobbled by> with {np}, <crying|singing|calling> "{^}{food_a} {food},
        {number} a penny!"
        | <Somewhere|Far off> <behind|beyond|near> {landmark} {a}{instrument}
          <was playing|could be heard|fell silent>, and {pet} <listened|wept|slept|danced|howled> {hide}.
        | The clock of {church} <struck|showed|insisted upon>
          {hour}<, as it often did|, though it was nothing of the kind|; {who} sighed|, and {who} began {busy}>.
        | {^}{ref_A} <bought|begged|took|won> {some} from {who} and
          <ate them|shared them with {pet}|gave them to {who}|lost them> {spot}.
        | {^}<a smell|a steam|a rumour> of {dish} <came|drifted|stole> <from|out of> {tavern}, where {who} was
          {busy}.
        | In {place} {pet} had <eaten|stolen|sat upon|buried> {some} and {a}{folk}'s {thing}.
        | {^}{ref_A} <thought of|longed for|remembered|sighed for> {A.his} {kin} in {town}, who had {deed} {np}.
        | {^}{sky} {sky_did} {landmark}; {who} <took shelter|lay down|said a prayer|drank {drink}> {hide}.
        | {^}{number} <boys|girls|{people}> from {place} were <teaching|begging|paying> {pet} to {trick}.
        | <A handbill|A notice|A painted board> {spot} <offered|promised|asked> {price} for {np} and {pet}.
        | The coach from {town} <went by|came in late|rolled past|lost a wheel> with {who} on the roof and {number}
          <baskets|sacks|hampers> of {food} behind.
        | {^}{who} and {who} <were fighting|were praying|were laughing|sighed|fell out|shed tears> over {np}.
        | At {tavern} <one could have|they were selling|there was> {dish} and {drink} for {price}, and {who}
          <was having both|wanted neither|had come for {some}>.
        | {^}the {people} of {place} {crowd_did@season}, and the {people} of {place}
          <did much the same|did not|did so twice|followed them>.
        """,
    # --- meeting the other person ---
    "meet": """
        {^}{spot} {ref_A} {met} {intro_B}, who <was|had been|stood|sat> {busy}.
        | {^}{next} {ref_A} {met} {intro_B}, {busy} {spot}.
        | {^}{ref_A} {met} {intro_B}, who <had|carried|guarded|held> {np} and
          <smelt of|talked of|was covered in|dealt in> {ware}.
        | There, {busy}, <stood|sat|was> {intro_B}, with {np}
          <under one arm|at {B.his} feet|upon {B.his} head|over one shoulder|for company>.
        """,
    # --- talk of anything, in either voice ---
    "say": """
        {whose} {kin} has {deed} {np} {spot}
        | <they say|I hear|it is certain|nobody denies> that {great} has {deed} {np} {spot}
        | I have not seen <so {day_a@season} {a}{part_of_day}|such {food}|such {a}{thing}> since my {kin} went to
          {town}
        | <I would sooner|my {kin} would rather|a wise {folk} will sooner> {infinitive} than {infinitive}
        | it is <better|cheaper|safer|wiser|quicker|holier> to {infinitive} than to {infinitive}
        | there is more {quality} in {a}{food_one} than in <all {town}|{who}|{a}{thing} from {town}>
        | <I never|one should not|they ought not to> trust {a}{folk} with {np}
        | <nobody|not {a}{folk}> in {town} would {infinitive}
        | {great} would <give|pay|borrow> {price} to {infinitive}
        | {whose} {kin} <used to|would often> {infinitive}, and <died of|lived upon|never tired of> {fond}
        | I once <had|saw|knew|taught> {pet} that could {trick}
        | all {place} is <talking of|laughing at|weeping for> {who} and {np}
        | {quality} is {character}, but {quality} is {character}
        | {a}{folk} should never {infinitive}
        | I have {deed} {np} and {np}, and I shall do it again
        """,
    "whose": "3* my | our {kin}'s | the Dean's | the King's | your | the {folk}'s",
    "food_one": """
        muffin | gingerbread man | boiled egg | pickled onion | pork pie | single oyster | cold potato | crumpet
        | roast chestnut | sardine
        """,
    "chat": """
        "{oath}," {tag_A}, "{say}." "{^}{say}," {tag_B}.
        | "{oath}, {A.sir}," {tag_B}, "{say}." "{^}{say}," {tag_A}.
        | "{^}{say}," {tag_B}. {^}{A} {response}.
        | "Do you know," {tag_A}, "that {say}?" {^}{B} {said_so}, "{^}{say}."
        | "{oath}!" {tag_B}. "{^}{say}, and {say}."
        | "{^}{say}," {tag_A}, and "{^}{say}," {tag_B}, and
          <neither listened|both were right|neither smiled|{who} laughed|nobody believed them>.
        """,
    "more_chat": "3* {sp}{chat} | 1*",
    "response": """
        looked at the ground | laughed | 3* {felt} | said nothing | bowed | thought of {fond} | looked {hide}
        | dropped {np} | took out {np} | asked for {drink} | began to {do} | ate {food_a} {food} for {duration}
        """,
    "said_so": """
        only answered | replied {manner} | thought a little and said | shook {B.his} head and answered
        | put down {B.his} {thing} and said | was {feeling}, and answered
        """,
    # --- a thing is lost ---
    "thing_x": "{X.a:=thing_a} {X:=thing}",
    "of_kin": """
        had belonged to {A.his} {kin} | had been left {A.him} by {A.his} {kin} | was the property of {who}
        | had been bought {spot} for {price} | {great_past} was said to have {deed}
        """,
    "great_past": "the King's {kin} | the old Duke of {town} | {a}{folk} of {town} | {who}",
    "setup_lost": """
        <Now {A.he}|That week {A}|{^}{spot} {A}> had lost {a}{thing_x}, which {of_kin}. {^}{A.he} had
        <looked|searched|groped> {hide} and {hide}, and <had found only|had come upon> {some} and {np}. {meet}
        """,
    "talk_lost": """
        "<Have you seen|Has anybody here seen|Do you know anything of> {a}{X.a}
        {X}<|, lost {spot}|, last seen with {who}>?" {verb_asked} {A}{mannered}. "{oath}," {tag_B},
        "{clue}."{more_chat}
        """,
    "clue": """
        I saw {who} going towards {place} with {np}, but no {X} | if it were {np}, I could tell you at once
        | look {hide}, {A.sir}, for that is where {great} found {np} | such {a}{X} was sold {spot} for {price}
        | ask {who} who sells {food_a} {food} {spot} | I took it for {a}{thing}, and gave it to {who}
        """,
    "turn_lost": """
        {^}{next} the {X} was found {hide} {spot}, where {found}. {^}{A} was {feeling} and {feeling}, and
        <embraced|thanked|scolded|bowed to> {B}, {who} and {pet} <in that order|by turns|without distinction>.
        | {^}{next} {ref_B} sat down {spot}, and something <squeaked|cracked|broke|groaned>: the {X} had been under
          {B.his} {colour} <cloak|hat|coat|wig> since {hour}, with {some}. {^}{A} {felt}; {B} {felt}.
        """,
    "found": """
        {pet} had filled it with {food} | {who} was using it as {np} | {who} had hung it up for sale at {price}
        | {who} was keeping {food_a} {food} in it | {pet} was asleep upon it | {who} was {busy} beside it
        """,
    "end_lost": """
        {^}{ref_A} <gave|paid|offered|lent> {B} {price}, {np} and {some} for {B.his} trouble, and
        <carried|took|brought> the {X} home <by way of|through> {place!street} and {place!street}. {after_x}
        """,
    "after_x": """
        It hung there for {number} years <above|beside|behind> {a}{thing_a} {furniture}, and nobody but {who} was
        allowed to touch it.
        | {^}{next} {A.he} lost it again {spot}.
        | {^}{A.his} {kin}, when told of it, said that {a}{X} was never worth more than {price}.
        | From that day {A.he} kept it {hide}, with {some} and {np}.
        | {^}{A.he} <would not have changed|would gladly have exchanged> it for {np}, {goods} and {pet}.
        """,
    # --- a thing is sold ---
    "setup_sale": """
        <Now {A.he}|For {duration} {A}|{^}{A}> had been trying to sell {a}{thing_x}, which {of_kin}. {^}{who} had
        <offered|bid> {price} for it, and {who} <had offered|had bid|would give only> {some}. {meet}
        """,
    "talk_sale": """
        "<What will you take|How much do you ask|What did you give> for that {X}, {A.sir}, with {goods}?"
        {verb_asked} {B}{mannered}. "{^}{price}, with {some}," {tag_A}, "<for|seeing that> {boast}."
        "{^}{objection}," {tag_B}.{more_chat}
        """,
    "boast": """
        {great} offered me {price} for its shadow | it was made in {town} by {who} | I had it from {who} in {town}
        | with such {a}{X} one could {infinitive} | it has kept off {fear} for {number} years
        """,
    "objection": """
        I would not give {price} for it if {great} had {deed} it | it is {opinion} for {a}{X}, and smells of {ware}
        | for {price} I can have {np} and {goods} | I saw {pet} asleep upon it {spot}
        | it is no more {a}{X} than I am {who}
        """,
    "turn_sale": """
        They <bargained|argued|haggled|disputed> for {duration} over {some} and {drink}, and {next} the {X} was sold
        for {price}, {np} and {some}. But when {ref_B} <turned it over|shook it|took it home>, {surprise}.
        | {^}{next} {who} came by, {busy}, and <bought|carried off|took> the {X} for {price} before {B} could speak.
          {^}{B.he} {felt}; {A} {felt}, and they drank {drink} together {spot}.
        """,
    "surprise": """
        {pet} ran out of it | there fell out {some} and a letter to {great} | the name of {great} was found upon it
        | it began to smell of {dish} | it proved to be {np}, painted over | {B.he} found {price} inside it
        """,
    "end_sale": """
        {^}{ref_B} kept the {X} {hide} and showed it to {who} every {part_of_day}. {^}{A}, who was {feeling} without
        it, {regret}.
        """,
    "regret": """
        bought it back {when} for {price}
        | bought {np} instead, and was {feeling}
        | went to look at it on {festival@season} with {some} in {A.his} pocket
        | told {who} that it had been {deed} by {pet}
        | spent the money on {goods}
        """,
    # --- a wager ---
    "setup_wager": """
        {meet} They had not <talked|argued|sat together> for {short} before {A.he} wagered {price} that {a}{looks}
        {champion:=folk} could {feat}.
        """,
    "short": """
        {number} minutes | half an hour | an hour | a minute | the length of a sermon | a quarter of an hour
        """,
    "feat": """
        carry {a}{thing_x} from {landmark} to {place} {how} | bring {a}{thing_x} from {town} {how}
        | make {a}{thing_x} out of {ware} {how} | sell {a}{thing_x} to {great} {how}
        """,
    "how": """
        in {duration} | before {hour} | without {quality} | on {number} {food} a day | with {pet} on one shoulder
        | on one leg | backwards
        """,
    "talk_wager": """
        "{^}{price} more," {tag_B}, "that {a}{champion} would sooner {infinitive}." "{oath}," {tag_A},
        "{say}."{more_chat}
        | "And if {a}{champion} should {infinitive}?" {verb_asked} {B}{mannered}. "Then you shall have {np} and
          {some}," {tag_A}.{more_chat}
        """,
    "turn_wager": """
        The {champion} {set_off} with the {X} at {hour}, <followed|watched|cheered> by {who} and the {people} of
        {place}, and {came_to}. {^}{A} {felt} and {B} {felt}.
        """,
    "set_off": "set out | started | began | departed",
    "came_to": """
        {aftermath} {spot} | {next} {aftermath} | won by {number} minutes, with {some} to spare
        | was last seen {spot}, {busy} | gave the {X} to {who} {spot}
        """,
    "end_wager": """
        As nobody could say who had won, {ref_A} paid {B} {price} and {ref_B} paid {A} {price}, and <both|they>
        dined {spot} on {dish}, {dish} and {drink}. The {champion} <asked for|was given|took away> {np} and {goods}.
        | {^}{ref_B} paid in {ware}, at {price} the pound, and the {champion}
          <went to {town}|took to {fond}|kept the {X}>. {^}{next} {A} wagered {price} that {pet} could {trick}.
        """,
    # --- a letter ---
    "setup_letter": """
        {^}{next} {who} brought {A.him} a letter from {town}, <sealed with|wrapped in|smelling of> {ware}.
        "{letter}," wrote {A.his} {writer:=kin}, "and am sending you {a}{thing_x}, {number} <|{food_a} >{gift:=food}
        and {pet}." {meet}
        """,
    "letter": """
        I have {deed} {np} | I am {feeling}, and have {deed} {who} | I have {deed} {number} {food}
        | I dined with {who} on {dish} | I am {number} years old and {character}
        """,
    "talk_letter": """
        "What is one to do with {a}{X.a} {X}?" {verb_asked} {A}{mannered}. "{advice}," {tag_B}.{more_chat}
        | "Is your {writer} <often|always|still> so {character}?" {verb_asked} {B}{mannered}. "{oath}," {tag_A},
          "{say}." {chat}{more_chat}
        """,
    "advice": """
        Give it to {who} and {infinitive} | Sell it {spot} for {price} | {^}fill it with {food_a} {food}
        | Send back {np} instead | Let {pet} sleep in it
        """,
    "turn_letter": """
        The coach from {town} came in at {hour}, with {who}, {who} and {goods}, but no {X}. {^}{ref_A}
        <waited|looked> {spot} for {duration}, and saw only {pet} and {some}.
        | {^}{next} the {X} was delivered {spot} by {who}, who asked {price} for the carriage and {infinitives}.
          {^}{ref_A} was {feeling}; {ref_B} thought it {opinion}.
        """,
    "infinitives": """
        smelt of {dish} | had eaten the {gift} | had been robbed of the {gift} in {place}
        | would take {drink} instead | said that {pet} had {deed} it
        """,
    "end_letter": """
        {^}{A} wrote back on {festival@season}: "{letter}, and the {X} is {opinion}." {^}{after_letter}.
        """,
    "after_letter": """
        {A.his} {writer} came to live in {place!street}, with {household} and {pet}
        | {ref_B} carried it to the post, and {aftermath}
        | no answer came for {number} years, and then only {np}
        | the {writer} sent {some} and married {who}
        """,
    # --- a beast at large ---
    "beast_x": "{beast.a:=beast_a} {beast:=beast_n}",
    "setup_beast": """
        That {part_of_day} {a}{beast_x} had escaped from {tavern}. It had eaten {some}, <overturned|broken|bitten>
        {np} and chased {who} from {place} to {landmark}. {meet}
        | {^}{spot} {a}{beast_x} had got {hide} and would not come out for {some} or for {who}. {meet}
        """,
    "talk_beast": """
        "Is that your {beast}, {B.sir}, that has {deed} {np}?" {verb_asked} {A}{mannered}. "{owner},"
        {tag_B}.{more_chat}
        | "{oath}," {tag_B}, "that {beast} has {deed} my {thing}!" "{excuse}," {tag_A}.{more_chat}
        """,
    "owner": """
        It belongs to {great}, and can {trick} | {^}my {kin} had it from {who} for {price}
        | I never saw it before, but it smells of {ware} | No, but I had {a}{beast_n} once, and it died of {fond}
        | Only on {festival@season}
        """,
    "excuse": """
        It is {character}, and only wants {food_a} {food} | It was brought up by {who} in {town}
        | {^}{a}{beast} must {infinitive} sometimes | {^}{great} lets it {trick} | Then it has {quality}
        """,
    "turn_beast": """
        {^}{ref_A} <tempted|pursued|flattered|surrounded|addressed> it with {some}, {ref_B} <threw|waved|dropped>
        {np}, and {next} the {beast} was caught {spot} by {who}, who was {busy}.
        | The {beast} ran through {place} and {place}, {aftermath_beast}, and {next} it lay down {hide} and slept.
          {^}{A} {felt} and {B} {felt}.
        """,
    "aftermath_beast": """
        knocked down {who} and {who} | swallowed {some} | put {number} {people} to flight | carried off {np}
        | was taken for {who} | leapt over {np}
        """,
    "end_beast": """
        It was given to {who} in {place!street}, and learned to {trick} and to {trick}. {^}{ref_A} visited it on
        {festival@season} with {some}, and {ref_B} never again {never}.
        | Nobody claimed it, and {ref_A} called it {name_beast} and kept it {hide}. {^}{ref_B} sent it {some} every
          {festival@season}.
        """,
    "never": """
        spoke of {fond} | went without {np} | trusted {a}{folk} | passed {landmark} alone | ate {food} | wore {ware}
        """,
    "name_beast": "{surname} | {first_m} | {first_f} | {town}",
    # --- a dinner ---
    "setup_dinner": """
        {^}{ref_A} had invited {intro_B}, to dine at {tavern} upon {dish1:=dish} and {dish2:=dish!dish1}, with
        {drink} to follow. {^}{B.he} came at {hour}, with {np}, {pet} and {who}.
        """,
    "talk_dinner": """
        "The {dish1} is {food_a} and the {dish2} is {food_a},"
        {tag_B}<.|, "and there is {fear_one} in the {drink}."> {chat}{more_chat}
        | "Will you take {drink}, {B.sir}, or {drink}?" {verb_asked} {A}{mannered}. "I never drink {drink} with
          {a}{folk}," {tag_B}. {chat}{more_chat}
        """,
    "fear_one": "{a}{thing} | {a}{beast_n} | a {tavern_n} button | {number} {food}",
    "turn_dinner": """
        {^}{next} {pet} came in from {place}, ate the {dish1} and {deed_past} {who}, and went to sleep {hide}.
        {^}{ref_A} was {feeling}; {ref_B} <called for|dreamed of|demanded> {dish} and {drink}.
        | The bill was {number} <shillings|guineas|pounds>, and {ref_A} had only {number} <farthings|pence> and
          {np}. {^}{ref_B} <found|borrowed|won> the rest from {who} {spot}, {when}.
        """,
    "deed_past": "bit | splashed | upset | licked | frightened | admired | sat upon | ignored",
    "end_dinner": """
        They parted {when} {spot}, {A} with {some} and {B} with {np}. {^}{A} said ever afterwards that the {dish1}
        had been {opinion}, and {B} that it had been {food_a} and {opinion}.
        | From that day they dined together every {festival@season} on {dish}, {dish} and {some}, in company with
          {who} and {pet}.
        """,
    # --- a debt ---
    "setup_debt": """
        {meet} {^}{B.he} had owed {A.him} {price} for {duration}, on account of {a}{thing_x} and {goods}, and had
        <twice|once|often|lately> <hidden|been found|been seen|slept> {hide} {spot}.
        """,
    "talk_debt": """
        "When shall I be paid for that {X} and {goods}, {B.sir}?" {verb_asked} {A}{mannered}. "{promise},"
        {tag_B}.{more_chat}
        | "{oath}, {A.sir}," {tag_B}, "{promise_low}." "{^}{say}," {tag_A}.{more_chat}
        """,
    "promise": """
        On {festival@season}, when {great} has paid me for {np} | The day that {pet} can {trick}
        | When my {kin} has sold {goods} | As soon as I can {infinitive}
        | In {duration}, or when {who} dies in {town}
        """,
    "promise_low": """
        I have only {some} and {price} in the world | {who} has {deed} my {thing}
        | the {X} was {opinion}, and fell to pieces {spot} | I had {price} for you, but {pet} ate it
        """,
    "turn_debt": """
        {^}{next} {B.he} sent {A.him} {goods}, {number} <|{food_a} >{gift:=food} and {pet}, with a note that said:
        "{note}." {^}{ref_A} <sold|gave away|ate> the {gift} and was {feeling}.
        | {^}{next} {who} died in {town}, and left {B.him} {price}, {np} and {household}. {^}{ref_B}
          <ran|wept|danced> all the way to {place!street} and {aftermath}.
        """,
    "note": "{^}{say} | I am {feeling}, and you are {character} | Take these for the {X}, and {infinitive}",
    "end_debt": """
        The debt was paid at last {spot}, in {ware} and {food}, with {who} for a witness. {^}{A.he} framed the
        receipt and hung it above {np}; {B} at once borrowed {price} <more|again>.
        | So {ref_A} forgave the debt for {price} and {np}, and {ref_B} was {feeling} for {duration}.
        """,
    # --- a show ---
    "setup_show": """
        {^}{spot} one <could see|might hear|could touch|might dine with> {a}{looks} {W:=wonder} from {town} for
        {price}. {meet} {^}{A.he} offered <to pay for both|the price of both|an arm>, having {some} and {price}
        <to spare|in {A.his} pocket|about {A.him}>.
        """,
    "talk_show": """
        "<Is it true|Can it be|Do you believe> that the {W} once {infinitive_past} {np} {spot}?" {verb_asked}
        {B}{mannered}. "{rumour}," {tag_A}.{more_chat}
        | "I have seen a better {W} {spot}," {tag_B}, "for {price}." "{^}{rumour}," {tag_A}.{more_chat}
        """,
    "infinitive_past": """
        ate | stole | painted | kissed | sold | mended | buried | sat upon | sang to | talked to | invented
        """,
    "rumour": """
        They say so in {town} | {^}{great} has {deed} it, at any rate | It is only {who}, sewn into {np}
        | It lives on {drink} and {food}, they say | My {kin} was {feeling} at the sight
        """,
    "turn_show": """
        The curtain <rose|fell down|caught fire> at {hour}, the {instrument} played, and the {W}
        <proved to be|turned out to be> {who} {hiding}. The {people} {reaction}, and {ref_A} was {feeling}.
        | The {W} would not begin. {^}{who} <threw|offered> {some}, {who} <threw|offered> {np}, and {next} {pet} was
          sent on instead to {trick}. {^}{ref_B} {felt}.
        """,
    "hiding": "with {np} | and {pet} | covered in {ware} | {hide} | {busy}",
    "reaction": """
        asked for {price} back | threw {food} | fainted | cheered for {number} minutes | went home by way of {place}
        | demanded {drink} | sang
        """,
    "end_show": """
        {^}{ref_A} and {ref_B_name} walked home past {landmark}, sharing {some} and talking of {fond}. {^}{next} the
        {W} was seen {spot}, {busy}.
        | For {duration} {ref_A} talked of nothing but the {W} and {quality}; {ref_B} bought {pet}, and tried to
          teach it to {trick}.
        """,
    "ref_B_name": "{B} | the {B.trade}",
    # --- a courtship ---
    "setup_court": """
        For {duration} {A} had admired {intro_B}, who had {household} and {a}{character} {kin}. {^}{next} {A.he}
        <called|knocked|came> with {a}{thing_x}, {some} and {np}, and found {B.him} {busy}.
        """,
    "talk_court": """
        "Will you accept {a}{X} and {some}, {B.sir}?" {verb_asked} {A}{mannered}. "{answer}," {tag_B}.{more_chat}
        | "I think of you, {B.sir}, as often as of {fond} or {fond}," {tag_A}. "{oath}," {tag_B},
          "{say}."{more_chat}
        """,
    "answer": """
        I had rather have {np} | My {kin} would say that it is {opinion} | If you will take {pet} in exchange
        | I will, if it comes with {price} and {quality} | Ask me again on {festival@season}
        """,
    "turn_court": """
        {^}{next} {B.his} {kin} came in with {np}, was {feeling} to see the {X}, and {deed_past} {A}. {^}{ref_B}
        <laughed|wept|fainted> into {some}.
        | {^}{next} {who} came with {goods} and {a}{thing_a} {thing!X}, and proposed to {B.him}. {^}{ref_A} {felt},
          and {aftermath}.
        """,
    "end_court": """
        They were married at {church} on {festival@season}, with {who} to
        <play the {instrument}|give away the bride|hold the ring>, and {dish}, {some} and {drink} to follow.
        {^}{ref_A} brought {household} to the marriage, and {ref_B} brought {household} and {pet}.
        | {^}{B} married {who} in {town}, and {A} consoled {A.himself} with {fond}, {drink} and {np}.
        """,
    # --- the end of all ---
    "coda": """
        {^}{number} years later {A} was
        <Mayor of {town}|parish clerk of {church}|seen in {place!street}|keeper of {pet}>, and {B} kept {household}
        {spot}. Both said that it was better to {infinitive} than to {infinitive}.
        | It is still said {spot} that {a}{folk} who would {infinitive} must first {infinitive}.
        | The rest may be read upon a stone in the churchyard of {church}: "Here lies {A}, {opinion}, who loved
          {fond}, {fond} and {pet}, feared {fear}, and <left|owed|buried|promised> {who} {price}."
        | {^}{great_end} has since {deed} the house in {street}, and {who} sells {food_a} {food} there, {number} for
          {price}.
        """,
    "great_end": "The Mayor of {town} | {who} | {a}{folk} from {town} | the parish of {church}",
}
